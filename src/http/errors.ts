import type { RefusalKind } from "../broker/errors.ts"

/** What a request that is not served is told: RabbitMQ's status codes and bodies. */
export class HttpError extends Error {
  override readonly name = "HttpError"
  readonly status: number
  /** The word in `error`. */
  readonly code: string
  readonly headers: Readonly<Record<string, string>>

  constructor(
    status: number,
    code: string,
    reason: string,
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(reason)
    this.status = status
    this.code = code
    this.headers = headers
  }
}

/** As RabbitMQ answers what its own AMQP operations refuse: permissions are 401, the rest 400. */
export const REFUSAL_STATUS = {
  "not-found": [404, "not_found"],
  "precondition-failed": [400, "bad_request"],
  "access-refused": [401, "not_authorised"],
  "resource-locked": [400, "bad_request"],
  "not-allowed": [400, "bad_request"],
  "not-implemented": [400, "bad_request"],
  "resource-error": [503, "service_unavailable"],
  "internal-error": [500, "internal_server_error"],
  "command-invalid": [400, "bad_request"],
  "connection-forced": [503, "service_unavailable"],
} as const satisfies Record<RefusalKind, readonly [number, string]>

export function badRequest(reason: string): HttpError {
  return new HttpError(400, "bad_request", reason)
}

export function notFound(reason = "Object Not Found"): HttpError {
  return new HttpError(404, "not_found", reason)
}

/** Logged in, but without the tag or permission. */
export function notAuthorised(reason: string): HttpError {
  return new HttpError(401, "not_authorised", reason)
}

/** Not logged in. The header makes browsers and clients ask for a password. */
export function notLoggedIn(reason: string): HttpError {
  return new HttpError(401, "not_authorized", reason, {
    "WWW-Authenticate": 'Basic realm="Sluice Management"',
  })
}
