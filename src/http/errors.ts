import { Refusal } from "../broker/errors.ts"
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

/** The words of RabbitMQ and LavinMQ, which clients compare. */
const NOT_FOUND = "Object Not Found"

/** As RabbitMQ answers what its own AMQP operations refuse: permissions are 401, the rest 400. */
export const REFUSAL_STATUS = {
  "not-found": [404, NOT_FOUND],
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

export function notFound(reason = "Not Found"): HttpError {
  return new HttpError(404, NOT_FOUND, reason)
}

/** What is read and not there is told in the same words always; what else is missing has its reason. */
export function readingError(error: unknown): unknown {
  return error instanceof Refusal && error.kind === "not-found" ? notFound() : error
}

/** Logged in, but without the tag or permission. */
export function notAuthorised(reason: string): HttpError {
  return new HttpError(401, "not_authorised", reason)
}

/**
 * Not logged in. The header makes browsers and clients ask for a password; some, such as those in Perl,
 * send one only to the realm that RabbitMQ has.
 */
export function notLoggedIn(reason: string): HttpError {
  return new HttpError(401, "not_authorized", reason, {
    "WWW-Authenticate": 'Basic realm="RabbitMQ Management"',
  })
}
