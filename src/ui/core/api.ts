import { signal } from "@preact/signals"

/**
 * The one way to the HTTP API. Paths are relative to the page (`queues/%2F/orders`), so the UI works behind
 * any prefix. Errors come as ApiError; a session that has ended opens the login form over the page, and what
 * was typed there stays.
 */
export class ApiError extends Error {
  override readonly name = "ApiError"
  /** 0: no answer came. */
  readonly status: number
  /** The word of the API, such as `bad_request`. */
  readonly code: string

  constructor(status: number, code: string, reason: string) {
    super(reason)
    this.status = status
    this.code = code
  }

  get isNetwork(): boolean {
    return this.status === 0 || this.status === 502 || this.status === 504
  }

  get isSessionOver(): boolean {
    return this.status === 401 && this.code === "not_authorized"
  }
}

/** True while answers do not come: the banner says so. */
export const isConnectionLost = signal(false)

/** Set by core/session.ts. */
export const hooks = { sessionEnded: (): void => {} }

export interface Options {
  readonly body?: unknown
  readonly signal?: AbortSignal
  readonly headers?: Readonly<Record<string, string>>
  /** A raw body, such as a file of definitions. */
  readonly raw?: Blob | string
}

export type HttpMethod = "GET" | "PUT" | "POST" | "DELETE"

/** The parsed JSON of the answer; null for an empty one. The caller knows its type. */
export async function request<T>(
  method: HttpMethod,
  path: string,
  options: Options = {},
): Promise<T> {
  const response = await send(method, path, options)
  const text = await bodyOf(response)
  if (!response.ok) throw refusal(response, text)
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The caller names what the API documents.
  return (text === "" ? null : JSON.parse(text)) as T
}

export function get<T>(path: string, options: Options = {}): Promise<T> {
  return request<T>("GET", path, options)
}

export const put = (path: string, body: unknown = {}): Promise<unknown> =>
  request("PUT", path, { body })
export const post = <T = unknown>(path: string, body: unknown = {}): Promise<T> =>
  request<T>("POST", path, { body })
export const del = (path: string): Promise<unknown> => request("DELETE", path)

async function send(method: HttpMethod, path: string, options: Options): Promise<Response> {
  const headers: Record<string, string> = {
    "X-Requested-With": "sluice",
    Accept: "application/json",
    ...options.headers,
  }
  const init: RequestInit = { method, headers, credentials: "same-origin", cache: "no-store" }
  if (options.signal !== undefined) init.signal = options.signal
  if (options.raw !== undefined) init.body = options.raw
  else if (options.body !== undefined) init.body = JSON.stringify(options.body)
  if (init.body !== undefined) headers["Content-Type"] = "application/json"
  try {
    const response = await fetch(`api/${path}`, init)
    isConnectionLost.value = response.status === 502 || response.status === 504
    return response
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error
    isConnectionLost.value = true
    throw new ApiError(0, "no_answer", "The broker does not answer. Is it running?")
  }
}

async function bodyOf(response: Response): Promise<string> {
  try {
    return await response.text()
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error
    throw new ApiError(0, "no_answer", "The answer broke off.")
  }
}

function refusal(response: Response, text: string): ApiError {
  let code = "error"
  let reason = `${String(response.status)} ${response.statusText}`
  try {
    const body: { error?: unknown; reason?: unknown } = JSON.parse(text)
    if (typeof body.error === "string") code = body.error
    if (typeof body.reason === "string") reason = body.reason
  } catch {
    // Not from the broker: the status has to do.
  }
  const error = new ApiError(response.status, code, reason)
  if (error.isSessionOver) hooks.sessionEnded()
  return error
}

/** What to tell a person. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError"
}
