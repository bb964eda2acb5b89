import { Buffer } from "node:buffer"
import { createHash } from "node:crypto"
import type { User } from "../auth/users.ts"
import type { Clock } from "../util/clock.ts"
import type { Random } from "../util/random.ts"
import { authenticate } from "./credentials.ts"
import { FLAG, TEXT } from "./rates-schema.ts"
import { DONE, route } from "./route.ts"
import type { ApiRequest, Route } from "./route.ts"
import { Type } from "./schema.ts"

/**
 * Sessions of the management UI: a random token in a cookie stands for a user that has logged in. They
 * live in memory, end with the broker, and are bounded; the table holds digests, never the tokens.
 */
const TOKEN_BYTES = 32
const IDLE_MS = 30 * 60_000
const AGE_MAX_MS = 8 * 3_600_000
const SESSIONS_MAX = 1000
const SESSIONS_OF_USER_MAX = 20
const COOKIE = "sluice_session"

interface Session {
  readonly user: User
  /** A session ends when the password has changed. */
  readonly passwordHash: string
  readonly createdMs: number
  usedMs: number
}

export class Sessions {
  readonly #clock: Clock
  readonly #random: Random
  /** By the digest of the token, the longest unused first. */
  readonly #sessions = new Map<string, Session>()

  constructor(clock: Clock, random: Random) {
    this.#clock = clock
    this.#random = random
  }

  get size(): number {
    return this.#sessions.size
  }

  /** Returns the token. The user's longest unused session ends if there are too many. */
  open(user: User): string {
    this.#clock.refresh()
    const { nowMs } = this.#clock
    this.#dropEnded(nowMs)
    const own = [...this.#sessions].filter(([, session]) => session.user === user)
    if (own.length >= SESSIONS_OF_USER_MAX) this.#sessions.delete(own[0]![0])
    else if (this.#sessions.size >= SESSIONS_MAX) {
      const [oldest] = this.#sessions.keys()
      if (oldest !== undefined) this.#sessions.delete(oldest)
    }
    const token = this.#random.bytes(TOKEN_BYTES).toString("base64url")
    const { passwordHash } = user
    this.#sessions.set(digest(token), { user, passwordHash, createdMs: nowMs, usedMs: nowMs })
    return token
  }

  /** Null if the session has ended or never was. */
  userOf(token: string): User | null {
    const key = digest(token)
    const session = this.#sessions.get(key)
    if (session === undefined) return null
    this.#clock.refresh()
    const { nowMs } = this.#clock
    this.#sessions.delete(key)
    if (hasEnded(session, nowMs)) return null
    session.usedMs = nowMs
    this.#sessions.set(key, session)
    return session.user
  }

  close(token: string): void {
    this.#sessions.delete(digest(token))
  }

  #dropEnded(nowMs: number): void {
    for (const [key, session] of this.#sessions)
      if (hasEnded(session, nowMs)) this.#sessions.delete(key)
  }
}

function hasEnded(session: Session, nowMs: number): boolean {
  const { user, passwordHash, createdMs, usedMs } = session
  return (
    user.isDeleted ||
    user.passwordHash !== passwordHash ||
    user.tags.length === 0 ||
    nowMs - usedMs > IDLE_MS ||
    nowMs - createdMs > AGE_MAX_MS
  )
}

function digest(token: string): string {
  return createHash("sha256").update(token).digest("base64")
}

type Header = (name: string) => string | undefined

/** Cookies do not know ports: two brokers on one machine need two names. */
function cookieName(header: Header): string {
  const port = /:(\d+)$/.exec(header("host") ?? "")?.[1]
  return port === undefined ? COOKIE : `${COOKIE}_${port}`
}

/** Null without a session cookie. */
export function sessionToken(header: Header): string | null {
  const name = cookieName(header)
  for (const part of (header("cookie") ?? "").split(";")) {
    const equals = part.indexOf("=")
    if (equals > 0 && part.slice(0, equals).trim() === name) return part.slice(equals + 1).trim()
  }
  return null
}

function cookie(request: ApiRequest, value: string, maxAgeSeconds: number): string {
  const isSecure = request.isEncrypted || request.header("x-forwarded-proto") === "https"
  const parts = [
    `${cookieName((name) => request.header(name))}=${value}`,
    "Path=/",
    "HttpOnly",
    "SameSite=Strict",
    `Max-Age=${String(maxAgeSeconds)}`,
  ]
  if (isSecure) parts.push("Secure")
  return parts.join("; ")
}

const LOGIN = Type.Object({
  username: Type.String({ minLength: 1, maxLength: 255 }),
  password: Type.String({ maxLength: 4096 }),
})
const WHO = Type.Object({ name: TEXT, tags: Type.Array(TEXT), is_internal_user: FLAG })

export const SESSION_ROUTES: readonly Route[] = [
  route({
    method: "POST",
    path: "/api/login",
    group: "Users",
    summary: "Begins a session of the management UI, kept in a cookie",
    access: "open",
    body: LOGIN,
    responses: { 200: { doc: "The user; with a Set-Cookie header", schema: WHO } },
    async handle(api, request) {
      const { username, password } = request.body
      const basic = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`
      const user = await authenticate(api.broker.logins, basic, {
        address: request.remoteAddress,
        host: request.header("host"),
      })
      const token = api.sessions.open(user)
      api.broker.log.info({ user: user.name, peer: request.remoteAddress }, "management login")
      return {
        status: 200,
        body: { name: user.name, tags: user.tags, is_internal_user: true },
        headers: { "Set-Cookie": cookie(request, token, AGE_MAX_MS / 1000) },
      }
    },
  }),
  route({
    method: "DELETE",
    path: "/api/login",
    group: "Users",
    summary: "Ends the session of the cookie",
    access: "open",
    responses: DONE,
    handle(api, request) {
      const token = sessionToken((name) => request.header(name))
      if (token !== null) api.sessions.close(token)
      return { status: 204, headers: { "Set-Cookie": cookie(request, "", 0) } }
    },
  }),
]
