import { HttpError, badRequest } from "./errors.ts"

/**
 * The body of a request: bounded while it is received, JSON of bounded depth. What a schema says of its
 * content is checked by the app.
 */

/** Deeper than any table that the protocol can carry. */
const DEPTH_MAX = 64

/** Throws 413 as soon as more has come than may. */
export async function readBody(request: Request, maxBytes: number): Promise<Buffer> {
  const announced = Number(request.headers.get("content-length") ?? 0)
  if (announced > maxBytes) throw tooLarge(maxBytes)
  if (request.body === null) return Buffer.alloc(0)
  const pieces: Uint8Array[] = []
  let size = 0
  for await (const piece of request.body) {
    size += piece.length
    if (size > maxBytes) throw tooLarge(maxBytes)
    pieces.push(piece)
  }
  return Buffer.concat(pieces)
}

function tooLarge(maxBytes: number): HttpError {
  return new HttpError(413, "payload_too_large", `the body is larger than ${maxBytes} bytes`)
}

/** An empty body or array is an empty object. Throws 400 unless it is a JSON object. */
export function parseJsonObject(bytes: Buffer): Record<string, unknown> {
  const value = parseJson(bytes)
  if (Array.isArray(value) && value.length === 0) return {}
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw badRequest("Request body has to be a JSON object")
  return Object.fromEntries(Object.entries(value))
}

export function parseJson(bytes: Buffer): unknown {
  if (bytes.length === 0) return {}
  checkDepth(bytes)
  try {
    return JSON.parse(bytes.toString("utf8"))
  } catch {
    // What exactly is wrong with it nobody needs to know; RabbitMQ's word.
    throw badRequest("not_json")
  }
}

const QUOTE = 0x22
const BACKSLASH = 0x5c

/** Handlers recurse over values, so nesting is bounded before anything is made of the text. */
function checkDepth(bytes: Buffer): void {
  let depth = 0
  let isText = false
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]
    if (isText) {
      if (byte === BACKSLASH) i++
      else if (byte === QUOTE) isText = false
    } else if (byte === QUOTE) isText = true
    else if (byte === 0x7b || byte === 0x5b) {
      if (++depth > DEPTH_MAX) throw badRequest("the JSON is nested too deeply")
    } else if (byte === 0x7d || byte === 0x5d) depth--
  }
}

/** Throws 415 for a type that is not JSON. Without a type it is taken for JSON. */
export function checkContentType(contentType: string | undefined): void {
  if (contentType === undefined || contentType === "") return
  const type = contentType.split(";")[0]?.trim().toLowerCase()
  // curl's -d says this unless told otherwise; RabbitMQ takes it, too.
  if (type === "application/json" || type === "application/x-www-form-urlencoded") return
  throw new HttpError(415, "unsupported_content_type", `Unsupported content type ${contentType}`)
}
