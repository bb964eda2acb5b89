import type { JsonDocument } from "../auth/users.ts"
import { Refusal } from "./errors.ts"

/**
 * How many queues and connections a vhost, and how many connections and channels a user may have:
 * the numbers and their files. Who counts and refuses is the vhost (queues) and the session (the rest).
 *
 *   <vhost>/limits.json   {"max-connections":100,"max-queues":500}        LavinMQ's format
 *   user_limits.json      {"app":{"max-connections":10,"max-channels":50}}
 *
 * A limit of 0 allows none; UNLIMITED, or no entry, is no limit.
 */
export const UNLIMITED = -1

export const VHOST_LIMITS = ["max-connections", "max-queues"] as const
export type VhostLimit = (typeof VHOST_LIMITS)[number]

export const USER_LIMITS = ["max-connections", "max-channels"] as const
export type UserLimit = (typeof USER_LIMITS)[number]

/** The limits of one vhost. */
export class VhostLimits {
  /** UNLIMITED or from 0 on; read at each connection and declaration. */
  maxConnections = UNLIMITED
  maxQueues = UNLIMITED
  readonly #document: JsonDocument

  constructor(document: JsonDocument) {
    this.#document = document
  }

  /** What makes no sense in the file is as if it were absent. */
  load(): void {
    const fields = fieldsOf(this.#document.load())
    this.maxConnections = limitOf(fields.get("max-connections"))
    this.maxQueues = limitOf(fields.get("max-queues"))
  }

  /** A negative value removes the limit. Holds at once; resolves when it is on disk. Throws Refusal. */
  async set(name: string, value: number): Promise<void> {
    const limit = checkedLimit(value)
    if (name === "max-connections") this.maxConnections = limit
    else if (name === "max-queues") this.maxQueues = limit
    else throw unknownLimit(name)
    await this.#document.save(this.toJSON())
  }

  /** Only what is limited. */
  toJSON(): Record<string, number> {
    return limitedOnly([
      ["max-connections", this.maxConnections],
      ["max-queues", this.maxQueues],
    ])
  }
}

export interface LimitsOfUser {
  readonly maxConnections: number
  readonly maxChannels: number
}

const NO_LIMITS: LimitsOfUser = { maxConnections: UNLIMITED, maxChannels: UNLIMITED }

/** The limits of all users, by name. */
export class UserLimits {
  readonly #limits = new Map<string, LimitsOfUser>()
  readonly #document: JsonDocument

  constructor(document: JsonDocument) {
    this.#document = document
  }

  /** What makes no sense in the file is as if it were absent. */
  load(): void {
    this.#limits.clear()
    for (const [user, value] of fieldsOf(this.#document.load())) {
      const fields = fieldsOf(value)
      this.#put(user, {
        maxConnections: limitOf(fields.get("max-connections")),
        maxChannels: limitOf(fields.get("max-channels")),
      })
    }
  }

  of(user: string): LimitsOfUser {
    return this.#limits.get(user) ?? NO_LIMITS
  }

  /** A negative value removes the limit. Holds at once; resolves when it is on disk. Throws Refusal. */
  async set(user: string, name: string, value: number): Promise<void> {
    const limit = checkedLimit(value)
    const present = this.of(user)
    if (name === "max-connections") this.#put(user, { ...present, maxConnections: limit })
    else if (name === "max-channels") this.#put(user, { ...present, maxChannels: limit })
    else throw unknownLimit(name)
    await this.#save()
  }

  /** The user is gone. */
  async remove(user: string): Promise<void> {
    if (this.#limits.delete(user)) await this.#save()
  }

  /** Only what is limited. */
  describe(user: string): Record<string, number> {
    return formatUserLimits(this.of(user))
  }

  /** Users that have a limit. */
  *entries(): Iterable<[user: string, limits: Record<string, number>]> {
    for (const [user, limits] of this.#limits) yield [user, formatUserLimits(limits)]
  }

  #put(user: string, limits: LimitsOfUser): void {
    if (limits.maxConnections === UNLIMITED && limits.maxChannels === UNLIMITED)
      this.#limits.delete(user)
    else this.#limits.set(user, limits)
  }

  #save(): Promise<void> {
    return this.#document.save(Object.fromEntries(this.entries()))
  }
}

function formatUserLimits(limits: LimitsOfUser): Record<string, number> {
  return limitedOnly([
    ["max-connections", limits.maxConnections],
    ["max-channels", limits.maxChannels],
  ])
}

function limitedOnly(entries: readonly [string, number][]): Record<string, number> {
  return Object.fromEntries(entries.filter(([, value]) => value !== UNLIMITED))
}

function limitOf(value: unknown): number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : UNLIMITED
}

function checkedLimit(value: number): number {
  if (!Number.isSafeInteger(value))
    throw new Refusal("precondition-failed", "a limit must be an integer")
  return value < 0 ? UNLIMITED : value
}

function unknownLimit(name: string): Refusal {
  return new Refusal("precondition-failed", `there is no limit '${name}'`)
}

function fieldsOf(value: unknown): ReadonlyMap<string, unknown> {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value)
  return new Map(isObject ? Object.entries(value) : [])
}
