/**
 * The management API as commands use it: JSON in and out, lists page by page, errors as exit codes. Which
 * broker it is, is a Target; what the paths mean is the commands' business.
 */
import type { IncomingMessage } from "node:http"
import { CliError, EXIT } from "./exit-codes.ts"
import type { ExitCode } from "./exit-codes.ts"
import type { Target } from "./target.ts"
import { fieldsOf, printable } from "./text.ts"
import { send } from "./transport.ts"
import type { Endpoint, HttpCall } from "./transport.ts"

/** Rows in memory at a time. */
export const PAGE_SIZE = 500
/** No single object and no page is nearly as large; what is larger is no answer of a broker. */
const RESPONSE_SIZE_MAX = 64 << 20
const ERROR_SIZE_MAX = 64 << 10

export interface Reply {
  readonly status: number
  readonly body: unknown
}

export interface RequestOptions {
  /** Sent as JSON; bytes as they are. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  /** Replies that are no error, beside 2xx. */
  readonly accepts?: readonly number[]
}

export class Client {
  readonly #target: Target
  readonly #idleTimeoutMs: number
  #streaming: IncomingMessage | null = null
  /** The one that answered. */
  #endpoint: Endpoint | null = null

  constructor(target: Target, idleTimeoutMs: number) {
    this.#target = target
    this.#idleTimeoutMs = idleTimeoutMs
  }

  get isLocal(): boolean {
    return this.#target.credentials === null
  }

  async get(path: string): Promise<unknown> {
    return (await this.request("GET", path)).body
  }

  /** Null if it answers 404. */
  async find(path: string): Promise<unknown> {
    const { status, body } = await this.request("GET", path, { accepts: [404] })
    return status === 404 ? null : body
  }

  /** The whole body, parsed; undefined if there is none. Throws CliError for an error of the API. */
  async request(method: string, path: string, options: RequestOptions = {}): Promise<Reply> {
    const response = await this.#send(method, path, options)
    const status = response.statusCode ?? 0
    const isAccepted = (status >= 200 && status < 300) || options.accepts?.includes(status) === true
    if (!isAccepted) throw await this.#errorOf(response, `${method} ${path}`)
    return { status, body: parse(await this.#read(response, RESPONSE_SIZE_MAX)) }
  }

  /** The body as it comes, for what may be large or endless. */
  async *stream(path: string, options: RequestOptions = {}): AsyncGenerator<Buffer> {
    const response = await this.#send("GET", path, options)
    if (response.statusCode !== 200) throw await this.#errorOf(response, `GET ${path}`)
    this.#streaming = response
    try {
      for await (const piece of response) if (Buffer.isBuffer(piece)) yield piece
      if (!response.complete) throw new Error("aborted")
    } catch (error) {
      throw this.#connectionError(error)
    }
  }

  /** Ends the stream under way, which then throws. */
  abort(): void {
    this.#streaming?.destroy()
  }

  /** A page at a time, or the whole list where the API has no pages. */
  async *pages(path: string): AsyncGenerator<readonly unknown[]> {
    const separator = path.includes("?") ? "&" : "?"
    for (let page = 1; ; page++) {
      const query = `page=${String(page)}&page_size=${String(PAGE_SIZE)}`
      const { status, body } = await this.request("GET", `${path}${separator}${query}`, {
        // The last page went away while the list was read.
        accepts: page > 1 ? [400] : [],
      })
      if (status === 400) return
      if (Array.isArray(body)) {
        yield body
        return
      }
      const { items, page_count: pageCount } = fieldsOf(body)
      if (!Array.isArray(items))
        throw new CliError(EXIT.software, `the broker did not answer with a list to ${path}`)
      yield items
      if (typeof pageCount !== "number" || page >= pageCount) return
    }
  }

  // ---- one request

  async #send(method: string, path: string, options: RequestOptions): Promise<IncomingMessage> {
    const { credentials, prefix } = this.#target
    const headers: Record<string, string> = { Accept: "application/json", ...options.headers }
    let body: Uint8Array | null = null
    if (options.body !== undefined) {
      body = Buffer.isBuffer(options.body)
        ? options.body
        : Buffer.from(JSON.stringify(options.body))
      headers["Content-Type"] = "application/json"
    }
    if (method !== "GET") headers["Content-Length"] = String(body?.length ?? 0)
    if (credentials !== null && headers["Authorization"] === undefined) {
      const text = `${credentials.user}:${credentials.password}`
      headers["Authorization"] = `Basic ${Buffer.from(text).toString("base64")}`
    }
    const call = { method, path: prefix + path, headers, body, idleTimeoutMs: this.#idleTimeoutMs }
    if (this.#endpoint !== null) return this.#attempt(this.#endpoint, call)
    const { endpoints } = this.#target
    for (const [index, endpoint] of endpoints.entries())
      try {
        const response = await send(endpoint, call)
        this.#endpoint = endpoint
        return response
      } catch (error) {
        // A socket that a dead broker has left: the next one may be alive.
        const isLast = index === endpoints.length - 1
        if (isLast || !isNobodyThere(error)) throw this.#connectionError(error)
      }
    throw new CliError(EXIT.unavailable, this.#target.unreachable)
  }

  async #attempt(endpoint: Endpoint, call: HttpCall): Promise<IncomingMessage> {
    try {
      return await send(endpoint, call)
    } catch (error) {
      throw this.#connectionError(error)
    }
  }

  #connectionError(error: unknown): CliError {
    if (error instanceof CliError) return error
    const code = error instanceof Error && "code" in error ? String(error.code) : ""
    const { name, unreachable } = this.#target
    if (code === "EACCES" || code === "EPERM")
      return new CliError(
        EXIT.noPermission,
        `permission denied for ${name}: run as the user of the broker or as root, or use --uri with credentials`,
        error,
      )
    if (isNobodyThere(error) || code === "ENOTFOUND" || code === "EAI_AGAIN")
      return new CliError(EXIT.unavailable, `${unreachable} (${code})`, error)
    if (code === "ETIMEDOUT")
      return new CliError(EXIT.unavailable, `${name} did not answer in time (see --timeout)`, error)
    if (code.startsWith("ERR_TLS") || /CERT|SELF_SIGNED|SSL|EPROTO/.test(code))
      return new CliError(
        EXIT.unavailable,
        `the certificate of ${name} cannot be verified, or it does not speak TLS: ${code} (see --cacert)`,
        error,
      )
    const reason = code === "" ? (error instanceof Error ? error.message : "unknown") : code
    return new CliError(EXIT.unavailable, `the connection to ${name} failed: ${reason}`, error)
  }

  async #errorOf(response: IncomingMessage, request: string): Promise<CliError> {
    const status = response.statusCode ?? 0
    const text = await this.#read(response, ERROR_SIZE_MAX)
    const asked = status === 404 ? ` to ${request.split("?")[0] ?? ""}` : ""
    return new CliError(
      exitCodeOf(status),
      `${describe(status, text)} (HTTP ${String(status)}${asked})`,
    )
  }

  async #read(response: IncomingMessage, sizeMax: number): Promise<string> {
    const pieces: Buffer[] = []
    let size = 0
    try {
      for await (const piece of response) {
        if (!Buffer.isBuffer(piece)) continue
        size += piece.length
        if (size > sizeMax)
          throw new CliError(EXIT.software, "the answer of the broker is too large")
        pieces.push(piece)
      }
    } catch (error) {
      throw this.#connectionError(error)
    }
    return Buffer.concat(pieces).toString("utf8")
  }
}

function isNobodyThere(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : null
  return code === "ENOENT" || code === "ECONNREFUSED" || code === "ENOTSOCK"
}

function parse(text: string): unknown {
  if (text.trim() === "") return undefined
  try {
    return JSON.parse(text)
  } catch {
    throw new CliError(
      EXIT.software,
      "the answer is no JSON: is this the management API of a broker?",
    )
  }
}

function exitCodeOf(status: number): ExitCode {
  if (status === 401 || status === 403) return EXIT.noPermission
  if (status === 429 || status === 502 || status === 503 || status === 504) return EXIT.unavailable
  return status >= 400 && status < 500 ? EXIT.data : EXIT.software
}

function describe(status: number, text: string): string {
  let fields: Record<string, unknown> = {}
  try {
    fields = fieldsOf(JSON.parse(text))
  } catch {
    // A proxy, or another server.
  }
  const { error, reason } = fields
  if (status === 401 && error === "not_authorized") return "wrong user or password"
  if (typeof reason === "string") return printable(reason)
  if (typeof error === "string") return printable(error)
  return status === 404 ? "the broker does not have that" : "the broker refused the request"
}
