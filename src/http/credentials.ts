import { Buffer } from "node:buffer"
import type { User } from "../auth/users.ts"
import type { Administration } from "../broker/administration.ts"
import type { Clock } from "../util/clock.ts"
import { HttpError, notLoggedIn } from "./errors.ts"

/**
 * Who a request comes from: HTTP basic authentication against the users of the broker. Hashes are
 * compared in constant time by the store, slow ones off this thread.
 *
 * Guessing is slowed down by address: after FAILURES_FREE wrong passwords within a minute every further
 * refusal takes a second, and only so many of them wait at one time. The right password is never held up.
 */
const FAILURES_FREE = 10
const FORGET_MS = 60_000
const DELAY_MS = 1000
const DELAYED_MAX = 20
/** Addresses that are remembered. */
const ADDRESSES_MAX = 10_000

interface Failures {
  count: number
  delayedCount: number
  lastMs: number
}

export interface Credentials {
  readonly name: string
  readonly password: string
}

export class Login {
  readonly #administration: Administration
  readonly #clock: Clock
  readonly #failures = new Map<string, Failures>()

  constructor(administration: Administration, clock: Clock) {
    this.#administration = administration
    this.#clock = clock
  }

  /** Throws HttpError: 401, or 429 for an address with too many attempts under way. */
  async authenticate(authorization: string | undefined, address: string | null): Promise<User> {
    if (authorization === undefined) throw notLoggedIn("Not_Authorized")
    const key = address ?? ""
    const failures = this.#failures.get(key)
    if (failures !== undefined && failures.delayedCount >= DELAYED_MAX)
      throw new HttpError(429, "too_many_requests", "too many failed logins", {
        "Retry-After": "1",
      })
    const credentials = parseBasic(authorization)
    const user =
      credentials === null
        ? null
        : await this.#administration.authenticate(credentials.name, credentials.password, address)
    if (user !== null && user.tags.length > 0) return user
    await this.#failed(key)
    throw notLoggedIn("Not_Authorized")
  }

  async #failed(key: string): Promise<void> {
    this.#clock.refresh()
    const { nowMs } = this.#clock
    let failures = this.#failures.get(key)
    if (failures === undefined || nowMs - failures.lastMs > FORGET_MS) {
      if (this.#failures.size >= ADDRESSES_MAX) this.#forgetOld(nowMs)
      failures = { count: 0, delayedCount: failures?.delayedCount ?? 0, lastMs: nowMs }
      this.#failures.set(key, failures)
    }
    failures.count++
    failures.lastMs = nowMs
    if (failures.count <= FAILURES_FREE) return
    failures.delayedCount++
    await new Promise<void>((resolve) => this.#clock.setTimer(DELAY_MS, resolve))
    failures.delayedCount--
  }

  /** All of them if none is old: the limit counts more than the memory of a flood of addresses. */
  #forgetOld(nowMs: number): void {
    for (const [key, { lastMs }] of this.#failures)
      if (nowMs - lastMs > FORGET_MS) this.#failures.delete(key)
    if (this.#failures.size >= ADDRESSES_MAX) this.#failures.clear()
  }
}

/** Null if it is no basic authentication. Passwords may hold colons, names may not. */
export function parseBasic(authorization: string): Credentials | null {
  const match = /^basic +([A-Za-z0-9+/_-]+={0,2}) *$/i.exec(authorization)
  if (match === null) return null
  const text = Buffer.from(match[1] ?? "", "base64").toString("utf8")
  const colon = text.indexOf(":")
  return colon < 0 ? null : { name: text.slice(0, colon), password: text.slice(colon + 1) }
}
