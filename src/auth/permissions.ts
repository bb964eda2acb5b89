import { AuthError } from "./errors.ts"
import { Pattern } from "./pattern.ts"
import type { TopicPermissions } from "./topic-permissions.ts"

/**
 * What a user may do in one vhost: three patterns over the names of queues and exchanges, and their
 * verdicts so far. Sessions keep their own verdicts on the path of a message (UserStore.generation).
 */
export interface PermissionSources {
  readonly configure: string
  readonly write: string
  readonly read: string
}

/**
 * The name under which the default exchange is checked and shown, as in RabbitMQ. Nothing else has an
 * empty name, and `^$` must not allow publishing to it.
 */
export const DEFAULT_EXCHANGE_ALIAS = "amq.default"

/** Verdicts kept per kind of access. Names come from clients, so there must be a bound. */
const VERDICT_COUNT_MAX = 1_024

export class VhostPermissions implements PermissionSources {
  readonly configure: string
  readonly write: string
  readonly read: string
  readonly #configure: Check
  readonly #write: Check
  readonly #read: Check

  /** Throws AuthError if one of the expressions cannot be accepted. */
  constructor(sources: PermissionSources) {
    this.configure = sources.configure
    this.write = sources.write
    this.read = sources.read
    this.#configure = new Check(sources.configure)
    this.#write = new Check(sources.write)
    this.#read = new Check(sources.read)
  }

  mayConfigure(name: string): boolean {
    return this.#configure.test(aliasOf(name))
  }

  mayWrite(name: string): boolean {
    return this.#write.test(aliasOf(name))
  }

  mayRead(name: string): boolean {
    return this.#read.test(aliasOf(name))
  }
}

function aliasOf(name: string): string {
  return name === "" ? DEFAULT_EXCHANGE_ALIAS : name
}

/** The part of a user that permission checks need. */
export interface PermissionHolder {
  readonly permissions: ReadonlyMap<string, VhostPermissions>
  /** By vhost and exchange; an exchange that is not there is not limited. */
  readonly topicPermissions: ReadonlyMap<string, ReadonlyMap<string, TopicPermissions>>
}

/** Answers for all users. A user without an entry for the vhost may do nothing there. */
export class Permissions {
  mayConfigure(user: PermissionHolder, vhostName: string, name: string): boolean {
    return user.permissions.get(vhostName)?.mayConfigure(name) ?? false
  }

  mayWrite(user: PermissionHolder, vhostName: string, name: string): boolean {
    return user.permissions.get(vhostName)?.mayWrite(name) ?? false
  }

  mayRead(user: PermissionHolder, vhostName: string, name: string): boolean {
    return user.permissions.get(vhostName)?.mayRead(name) ?? false
  }

  /** What limits the keys that the user may use at a topic exchange; null if nothing does. */
  topicsOf(
    user: PermissionHolder,
    vhostName: string,
    exchangeName: string,
  ): TopicPermissions | null {
    if (user.topicPermissions.size === 0) return null
    return user.topicPermissions.get(vhostName)?.get(exchangeName) ?? null
  }

  /** Whether the user may open a connection to the vhost at all. */
  mayConnect(user: PermissionHolder, vhostName: string): boolean {
    return user.permissions.has(vhostName)
  }
}

/** Reads the three expressions from a file or request. `config` is the word in users.json. */
export function parsePermissionSources(value: unknown, configureKey: string): PermissionSources {
  if (typeof value !== "object" || value === null)
    throw new AuthError("permissions are not an object")
  const fields = new Map<string, unknown>(Object.entries(value))
  const source = (key: string): string => {
    const field = fields.get(key)
    if (typeof field !== "string") throw new AuthError(`permissions have no '${key}' expression`)
    return field
  }
  return { configure: source(configureKey), write: source("write"), read: source("read") }
}

/** One pattern and its verdicts so far. */
export class Check {
  readonly #pattern: Pattern
  readonly #verdicts = new Map<string, boolean>()

  constructor(source: string) {
    this.#pattern = new Pattern(source)
  }

  test(name: string): boolean {
    const known = this.#verdicts.get(name)
    if (known !== undefined) return known
    if (this.#verdicts.size >= VERDICT_COUNT_MAX) this.#verdicts.clear()
    const verdict = this.#pattern.test(name)
    this.#verdicts.set(name, verdict)
    return verdict
  }
}
