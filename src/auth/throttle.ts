import type { Clock } from "../util/clock.ts"
import { isLoopback } from "./loopback.ts"

/**
 * Slows guessing down. Failed logins are counted by source address and by user name; after some free
 * ones within a minute the answer to each further one comes later, up to a bound. Nobody is locked out:
 * a right password is answered at once, also while others guess at the same user.
 *
 * Answers that wait are bounded by address and in all, because a guesser need not wait for one answer
 * before it sends the next guess. Where no more may wait, attempts are refused before the password is
 * looked at; those of an address without failures are not. Knows no users and no protocol (logins.ts).
 */
export interface ThrottleLimits {
  /** Failures within FORGET_MS that are answered at once. */
  readonly freeCount: number
  readonly delayMaxMs: number
  /** Answers that wait at one time. */
  readonly waitingMax: number
}

const REMOTE: ThrottleLimits = { freeCount: 5, delayMaxMs: 5000, waitingMax: 10 }
/** A program on this machine with an old password is more common than a guesser. */
const LOCAL: ThrottleLimits = { freeCount: 20, delayMaxMs: 1000, waitingMax: 20 }
/** All addresses together: one user name is guessed at from many places. */
const OF_USER: ThrottleLimits = { freeCount: 20, delayMaxMs: 5000, waitingMax: 20 }

/** The first delay; each further failure doubles it. */
const DELAY_MS = 250
/** So long without a failure, and the next one is the first again. */
export const FORGET_MS = 60_000
/** Addresses, and user names, that are remembered; the one without a failure for longest goes first. */
export const ENTRIES_MAX = 10_000
/** Of all addresses together. */
export const WAITING_MAX = 1000
/** No user has a longer name (users.ts). */
const NAME_SIZE_MAX = 255

interface Failures {
  count: number
  waitingCount: number
  lastMs: number
}

export class LoginThrottle {
  /** False: nothing is delayed or refused. May change at any time. */
  isOn: boolean
  readonly #clock: Clock
  readonly #addresses = new Map<string, Failures>()
  readonly #users = new Map<string, Failures>()
  /** Each ends one wait before its time. */
  readonly #waiting = new Set<() => void>()

  constructor(clock: Clock, isOn = true) {
    this.#clock = clock
    this.isOn = isOn
  }

  /** Answers that wait at present. */
  get waitingCount(): number {
    return this.#waiting.size
  }

  /** Addresses and names that are remembered at present. */
  get entryCount(): number {
    return this.#addresses.size + this.#users.size
  }

  /** False: the attempt is to be refused without a look at the password. `address` is null for a Unix socket. */
  mayTry(address: string | null, name: string): boolean {
    if (!this.isOn || this.#addresses.size === 0) return true
    const ofAddress = this.#addresses.get(sourceOf(address))
    if (ofAddress === undefined || this.#isOld(ofAddress)) return true
    if (ofAddress.waitingCount >= limitsOf(address).waitingMax) return false
    if (this.#waiting.size >= WAITING_MAX) return false
    const ofUser = this.#users.get(userKey(name))
    return ofUser === undefined || ofUser.waitingCount < OF_USER.waitingMax
  }

  /** Notes a failure; returns how many the address has had of late, this one included. */
  fail(address: string | null, name: string): number {
    this.#clock.refresh()
    this.#note(this.#users, userKey(name))
    return this.#note(this.#addresses, sourceOf(address)).count
  }

  /** After fail(): resolves when the attempt may be answered. Null: at once. */
  delay(address: string | null, name: string): Promise<void> | null {
    if (!this.isOn) return null
    const ofAddress = this.#addresses.get(sourceOf(address))
    const ofUser = this.#users.get(userKey(name))
    const limits = limitsOf(address)
    const delayMs = Math.min(
      Math.max(delayOf(ofAddress, limits), delayOf(ofUser, OF_USER)),
      limits.delayMaxMs,
    )
    // Attempts that were under way together may be more than may wait: the last ones are not delayed.
    if (delayMs === 0 || this.#waiting.size >= WAITING_MAX) return null
    if (ofAddress !== undefined) ofAddress.waitingCount++
    if (ofUser !== undefined) ofUser.waitingCount++
    return new Promise((resolve) => {
      const end = (): void => {
        timer.cancel()
        this.#waiting.delete(end)
        if (ofAddress !== undefined) ofAddress.waitingCount--
        if (ofUser !== undefined) ofUser.waitingCount--
        resolve()
      }
      const timer = this.#clock.setTimer(delayMs, end)
      this.#waiting.add(end)
    })
  }

  /** Nobody waits any more. */
  close(): void {
    for (const end of this.#waiting) end()
  }

  #isOld({ lastMs }: Failures): boolean {
    return this.#clock.nowMs - lastMs > FORGET_MS
  }

  /** The map stays in the order of the last failure, so the first entry is the oldest. */
  #note(entries: Map<string, Failures>, key: string): Failures {
    const known = entries.get(key)
    const failures = known ?? { count: 0, waitingCount: 0, lastMs: 0 }
    if (this.#isOld(failures)) failures.count = 0
    failures.count++
    failures.lastMs = this.#clock.nowMs
    if (known !== undefined) entries.delete(key)
    entries.set(key, failures)
    for (const [oldest, entry] of entries) {
      if (entries.size <= ENTRIES_MAX && !this.#isOld(entry)) break
      entries.delete(oldest)
    }
    return failures
  }
}

function delayOf(failures: Failures | undefined, limits: ThrottleLimits): number {
  const over = (failures?.count ?? 0) - limits.freeCount
  return over <= 0 ? 0 : Math.min(limits.delayMaxMs, DELAY_MS * 2 ** Math.min(over - 1, 16))
}

function limitsOf(address: string | null): ThrottleLimits {
  return isLoopback(address) ? LOCAL : REMOTE
}

/** A name that no user can have stands for all such names. */
function userKey(name: string): string {
  return Buffer.byteLength(name) > NAME_SIZE_MAX ? "" : name
}

/**
 * The address of IPv4, the network of 64 bits of IPv6: who has one address of it has all. This machine
 * is one source.
 */
export function sourceOf(address: string | null): string {
  if (address === null || isLoopback(address)) return "local"
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (mapped !== undefined) return mapped
  if (!address.includes(":")) return address
  const [head = "", tail] = (address.split("%")[0] ?? "").toLowerCase().split("::")
  const before = head === "" ? [] : head.split(":")
  const after = tail === undefined || tail === "" ? [] : tail.split(":")
  const gap = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length)
  return [...before, ...Array<string>(gap).fill("0"), ...after]
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ""))
    .join(":")
}
