import { createHmac } from "node:crypto"
import type { BasicProperties } from "../../amqp/properties.ts"
import type { TlsOptions } from "../../client/transport.ts"
import { parseUri } from "../../client/uri.ts"
import { messageOf } from "../../client/errors.ts"
import { textOf } from "./forward-headers.ts"

/**
 * Where and how a message is posted: the parts of an HTTP URI, the request headers made of a message, and
 * its signature. Sends nothing (http-sender.ts).
 */
export interface HttpTarget {
  readonly isTls: boolean
  readonly host: string
  readonly port: number
  /** "" if the message says it. */
  readonly path: string
  /** `user:password` */
  readonly auth: string | null
  readonly tls: TlsOptions | null
}

/** Parameters of the query that say how to connect, as in an AMQP URI; the rest is the receiver's. */
const TLS_PARAMETERS = [
  "cacertfile",
  "certfile",
  "keyfile",
  "password",
  "verify",
  "server_name_indication",
]
/** Of all headers made of those of the message; the rest is left out. */
const HEADERS_MAX_BYTES = 8192
const PATH_MAX = 2048

/** Throws if the URI cannot be used; the text holds no password. */
export function parseHttpTarget(uri: string): HttpTarget {
  let url: URL
  try {
    url = new URL(uri)
  } catch {
    throw new Error("bad HTTP URI: it is no URI")
  }
  const isTls = url.protocol === "https:"
  const query = new URLSearchParams()
  for (const name of TLS_PARAMETERS) {
    const value = url.searchParams.get(name)
    if (value !== null && isTls) query.set(name, value)
    if (isTls) url.searchParams.delete(name)
  }
  const hasPath = url.pathname.length > 1 || url.search !== ""
  return {
    isTls,
    host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: url.port === "" ? (isTls ? 443 : 80) : Number(url.port),
    path: hasPath ? url.pathname + url.search : "",
    auth: url.username === "" ? null : decodeURIComponent(`${url.username}:${url.password}`),
    tls: isTls ? (parseUri(`amqps://host?${query.toString()}`).tls ?? null) : null,
  }
}

export function httpTargetProblem(uri: string): string | null {
  try {
    parseHttpTarget(uri)
    return null
  } catch (error) {
    return messageOf(error).replace("bad AMQP URI", "bad HTTP URI")
  }
}

/** The path of the URI, or what the message says in its header `uri_path`. */
export function pathFor(target: HttpTarget, { headers }: BasicProperties): string {
  if (target.path !== "") return target.path
  const wanted = headers?.get("uri_path")
  const isUsable =
    typeof wanted === "string" && wanted.length <= PATH_MAX && /^\/[\x21-\x7e]*$/.test(wanted)
  return isUsable ? wanted : "/"
}

export function headersFor(
  shovelName: string,
  properties: BasicProperties,
  bodySize: number,
): Record<string, string> {
  const result: Record<string, string> = {}
  let size = 0
  for (const [name, value] of properties.headers ?? []) {
    const text = textOf(value)
    if (text === null || !isHeaderName(name) || !isHeaderText(text)) continue
    size += name.length + text.length
    if (size > HEADERS_MAX_BYTES) break
    result[`x-${name.toLowerCase()}`] = text
  }
  const { contentType, contentEncoding, messageId } = properties
  result["user-agent"] = "Sluice"
  result["x-shovel"] = isHeaderText(shovelName) ? shovelName : encodeURIComponent(shovelName)
  if (contentType !== undefined && isHeaderText(contentType)) result["content-type"] = contentType
  if (contentEncoding !== undefined && contentEncoding !== "" && isHeaderText(contentEncoding))
    result["content-encoding"] = contentEncoding
  if (messageId !== undefined && isHeaderText(messageId)) result["x-message-id"] = messageId
  result["content-length"] = String(bodySize)
  return result
}

/** `t=<seconds since 1970>,v1=<hex of HMAC-SHA256 over "<t>.<body>">` */
export function signatureFor(secret: string, seconds: number, body: Uint8Array): string {
  const hmac = createHmac("sha256", secret)
    .update(`${String(seconds)}.`)
    .update(body)
  return `t=${String(seconds)},v1=${hmac.digest("hex")}`
}

function isHeaderName(name: string): boolean {
  return name.length <= 128 && /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(name)
}

/** What may stand in a header of HTTP. */
function isHeaderText(text: string): boolean {
  return /^[\t\x20-\x7e\x80-\xff]*$/.test(text)
}
