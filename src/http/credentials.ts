import { Buffer } from "node:buffer"
import type { LoginAttempt, Logins } from "../auth/logins.ts"
import type { User } from "../auth/users.ts"
import { HttpError, notLoggedIn } from "./errors.ts"

/**
 * Who a request comes from: HTTP basic authentication against the users of the broker. Comparing, slowing
 * guesses down and counting is auth/logins.ts.
 */
export interface Credentials {
  readonly name: string
  readonly password: string
}

/** Throws HttpError: 401, or 429 for an address with too many failed attempts under way. */
export async function authenticate(
  logins: Logins,
  authorization: string | undefined,
  address: string | null,
): Promise<User> {
  if (authorization === undefined) throw notLoggedIn("Not_Authorized")
  const credentials = parseBasic(authorization)
  const attempt = {
    protocol: "http",
    name: credentials?.name ?? "",
    address,
    from: address ?? "local socket",
  } as const satisfies Omit<LoginAttempt, "password">
  const user = await (credentials === null
    ? logins.refuse(attempt)
    : logins.login({ ...attempt, password: credentials.password }))
  if (user === "too-many")
    throw new HttpError(429, "too_many_requests", "too many failed logins", { "Retry-After": "5" })
  if (user === null || user.tags.length === 0) throw notLoggedIn("Not_Authorized")
  return user
}

/** Null if it is no basic authentication. Passwords may hold colons, names may not. */
export function parseBasic(authorization: string): Credentials | null {
  const match = /^basic +([A-Za-z0-9+/_-]+={0,2}) *$/i.exec(authorization)
  if (match === null) return null
  const text = Buffer.from(match[1] ?? "", "base64").toString("utf8")
  const colon = text.indexOf(":")
  return colon < 0 ? null : { name: text.slice(0, colon), password: text.slice(colon + 1) }
}
