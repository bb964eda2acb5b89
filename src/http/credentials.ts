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

/** Where a request comes from. */
export interface Origin {
  /** Null for a Unix socket. */
  readonly address: string | null
  /** The header Host: what the client believes to have connected to. */
  readonly host: string | undefined
}

/**
 * A name with a dot that is not one of this machine. Whoever owns it may point it here, and have a page of theirs
 * talk to the broker of its visitor, as that machine itself and with the password that everybody knows. It may
 * also be that of a proxy on this machine, behind which is everybody.
 */
function isForeignName(host: string | undefined): boolean {
  if (host === undefined || !URL.canParse(`http://${host}`)) return false
  const { hostname } = new URL(`http://${host}`)
  const isAddress = hostname.startsWith("[") || /^[\d.]+$/.test(hostname)
  return (
    hostname.replace(/\.$/, "").includes(".") && !isAddress && !/\.localhost\.?$/.test(hostname)
  )
}

/** Throws HttpError: 401, or 429 for an address with too many failed attempts under way. */
export async function authenticate(
  logins: Logins,
  authorization: string | undefined,
  { address, host }: Origin,
): Promise<User> {
  if (authorization === undefined) throw notLoggedIn("Not_Authorized")
  const credentials = parseBasic(authorization)
  const attempt = {
    protocol: "http",
    name: credentials?.name ?? "",
    address,
    from: address ?? "local socket",
    isDoubtful: address !== null && isForeignName(host),
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
