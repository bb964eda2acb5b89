import { AuthError } from "./errors.ts"
import { Check } from "./permissions.ts"

/**
 * What keys a user may use at one topic exchange: `write` over the routing keys of what it publishes,
 * `read` over the keys of bindings. As in RabbitMQ an exchange without an entry is not limited, and the
 * ordinary permissions must allow the operation as well.
 *
 * In the patterns, `{username}` and `{vhost}` stand for these names, taken literally.
 */
export interface TopicPermissionSources {
  readonly write: string
  readonly read: string
}

export class TopicPermissions implements TopicPermissionSources {
  readonly write: string
  readonly read: string
  /** Null denies: the expression was refused. */
  #write: Check | null = null
  #read: Check | null = null

  private constructor(sources: TopicPermissionSources) {
    this.write = sources.write
    this.read = sources.read
  }

  /** Throws AuthError if one of the expressions cannot be accepted. */
  static create(
    sources: TopicPermissionSources,
    userName: string,
    vhostName: string,
  ): TopicPermissions {
    const permissions = new TopicPermissions(sources)
    permissions.#write = new Check(expand(sources.write, userName, vhostName))
    permissions.#read = new Check(expand(sources.read, userName, vhostName))
    return permissions
  }

  /** For what a file says and cannot be used: an absent entry would allow everything. */
  static denying(sources: TopicPermissionSources): TopicPermissions {
    return new TopicPermissions(sources)
  }

  mayWrite(routingKey: string): boolean {
    return this.#write !== null && this.#write.test(routingKey)
  }

  mayRead(bindingKey: string): boolean {
    return this.#read !== null && this.#read.test(bindingKey)
  }
}

/** Reads the two expressions from a file or request. Throws AuthError. */
export function parseTopicPermissionSources(value: unknown): TopicPermissionSources {
  const fields = new Map<string, unknown>(
    typeof value === "object" && value !== null ? Object.entries(value) : [],
  )
  const source = (key: string): string => {
    const field = fields.get(key)
    if (typeof field !== "string")
      throw new AuthError(`topic permissions have no '${key}' expression`)
    return field
  }
  return { write: source("write"), read: source("read") }
}

/** RabbitMQ puts the names in as they are; a user called `.*` would then have the keys of all others. */
function expand(source: string, userName: string, vhostName: string): string {
  return source.replaceAll(/\{(username|vhost)\}/g, (_, variable: string) =>
    (variable === "username" ? userName : vhostName).replaceAll(/[^A-Za-z0-9_]/g, "\\$&"),
  )
}
