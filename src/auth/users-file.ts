import { AuthError } from "./errors.ts"
import { parseStoredPassword, type StoredPassword } from "./password-hash.ts"
import { parsePermissionSources, VhostPermissions, type PermissionSources } from "./permissions.ts"
import {
  parseTopicPermissionSources,
  TopicPermissions,
  type TopicPermissionSources,
} from "./topic-permissions.ts"

/**
 * The content of users.json, in the format of LavinMQ: an array of
 *
 *   { name, password_hash, hashing_algorithm, tags: "administrator,management",
 *     permissions: { vhost: { config, read, write } },           (`config`, not `configure`, here)
 *     topic_permissions: { vhost: { exchange: { write, read } } } }      only if there are any; ours
 *
 * A hash or expression that cannot be used denies and is reported, but stays in the file: it may be
 * the work of an operator or of another product, and a broker that does not start helps nobody.
 */
export class UserRecord {
  readonly name: string
  tags: readonly string[] = []
  readonly permissions = new Map<string, VhostPermissions>()
  readonly topicPermissions = new Map<string, Map<string, TopicPermissions>>()
  isDeleted = false
  /** Null if no password logs in. */
  hash: StoredPassword | null = null
  /** As in the file; they say something even where `hash` is null. */
  passwordHash = ""
  hashingAlgorithm: string | null = null
  /** Entries with expressions that were refused. */
  readonly #unusable = new Map<string, PermissionSources>()

  constructor(name: string) {
    this.name = name
  }

  setHash(hash: StoredPassword | null): void {
    this.hash = hash
    this.passwordHash = hash?.toString() ?? ""
    this.hashingAlgorithm = hash === null ? null : hash.algorithmName
  }

  /** Throws AuthError if the hash cannot be used; it is kept all the same. */
  setStoredHash(hash: string, algorithm: string | null): void {
    this.passwordHash = hash
    this.hashingAlgorithm = algorithm
    this.hash = null
    if (hash !== "") this.hash = parseStoredPassword(hash, algorithm)
  }

  setPermissions(vhostName: string, permissions: VhostPermissions): void {
    this.permissions.set(vhostName, permissions)
    this.#unusable.delete(vhostName)
  }

  /** Throws AuthError if they cannot be used; they are kept all the same. */
  setStoredPermissions(vhostName: string, sources: PermissionSources): void {
    this.#unusable.set(vhostName, sources)
    this.setPermissions(vhostName, new VhostPermissions(sources))
  }

  /** False if there were none. */
  removePermissions(vhostName: string): boolean {
    const wasUnusable = this.#unusable.delete(vhostName)
    return this.permissions.delete(vhostName) || wasUnusable
  }

  setTopicPermissions(vhostName: string, exchange: string, permissions: TopicPermissions): void {
    const exchanges = this.topicPermissions.get(vhostName)
    if (exchanges === undefined)
      this.topicPermissions.set(vhostName, new Map([[exchange, permissions]]))
    else exchanges.set(exchange, permissions)
  }

  /** Throws AuthError if they cannot be used; they are kept all the same, and deny. */
  setStoredTopicPermissions(
    vhostName: string,
    exchange: string,
    sources: TopicPermissionSources,
  ): void {
    this.setTopicPermissions(vhostName, exchange, TopicPermissions.denying(sources))
    const usable = TopicPermissions.create(sources, this.name, vhostName)
    this.setTopicPermissions(vhostName, exchange, usable)
  }

  /** Of one exchange, or of all in the vhost. False if there were none. */
  removeTopicPermissions(vhostName: string, exchange: string | null): boolean {
    if (exchange === null) return this.topicPermissions.delete(vhostName)
    const exchanges = this.topicPermissions.get(vhostName)
    if (exchanges === undefined || !exchanges.delete(exchange)) return false
    if (exchanges.size === 0) this.topicPermissions.delete(vhostName)
    return true
  }

  toJSON(): Record<string, unknown> {
    const permissions: [string, unknown][] = []
    for (const entries of [this.permissions, this.#unusable])
      for (const [vhostName, { configure, read, write }] of entries)
        permissions.push([vhostName, { config: configure, read, write }])
    const entry: Record<string, unknown> = {
      name: this.name,
      password_hash: this.passwordHash,
      hashing_algorithm: this.hashingAlgorithm,
      tags: this.tags.join(","),
      permissions: Object.fromEntries(permissions),
    }
    if (this.topicPermissions.size > 0) entry["topic_permissions"] = this.#formatTopicPermissions()
    return entry
  }

  #formatTopicPermissions(): Record<string, unknown> {
    const vhosts: [string, unknown][] = []
    for (const [vhostName, exchanges] of this.topicPermissions) {
      const entries = [...exchanges].map(([exchange, { write, read }]) => [
        exchange,
        { write, read },
      ])
      vhosts.push([vhostName, Object.fromEntries(entries)])
    }
    return Object.fromEntries(vhosts)
  }
}

/** Throws AuthError if the value is no list of users; adds to `problems` what denies instead. */
export function parseUsers(value: unknown, problems: string[]): UserRecord[] {
  if (!Array.isArray(value)) throw new AuthError("users.json is not a list of users")
  return value.map((entry: unknown) => parseUser(entry, problems))
}

function parseUser(value: unknown, problems: string[]): UserRecord {
  const fields = fieldsOf(value)
  const name = fields.get("name")
  if (typeof name !== "string") throw new AuthError("users.json has a user without a name")
  if (!fields.has("password_hash"))
    throw new AuthError(`users.json has no password_hash for user '${name}'`)
  const user = new UserRecord(name)
  user.tags = parseTags(fields.get("tags"))
  attempt(`password of user '${name}'`, problems, () => {
    const algorithm = fields.get("hashing_algorithm")
    user.setStoredHash(
      textOf(fields.get("password_hash")),
      typeof algorithm === "string" ? algorithm : null,
    )
  })
  for (const [vhostName, entry] of fieldsOf(fields.get("permissions")))
    attempt(`permissions of user '${name}' in vhost '${vhostName}'`, problems, () =>
      user.setStoredPermissions(vhostName, parsePermissionSources(entry, "config")),
    )
  for (const [vhostName, exchanges] of fieldsOf(fields.get("topic_permissions")))
    for (const [exchange, entry] of fieldsOf(exchanges))
      attempt(
        `topic permissions of user '${name}' in vhost '${vhostName}' for '${exchange}'`,
        problems,
        () =>
          user.setStoredTopicPermissions(vhostName, exchange, parseTopicPermissionSources(entry)),
      )
  return user
}

/** A comma-joined string or a list; LavinMQ's definitions spell policymaker with an underscore. */
export function parseTags(value: unknown): readonly string[] {
  const tags = Array.isArray(value) ? value.map(textOf) : textOf(value).split(",")
  const names = tags.map((tag) => tag.trim().toLowerCase().replace("policy_maker", "policymaker"))
  return [...new Set(names.filter((tag) => tag !== ""))]
}

function attempt(subject: string, problems: string[], action: () => void): void {
  try {
    action()
  } catch (error) {
    if (!(error instanceof AuthError)) throw error
    problems.push(`${subject}: ${error.message}`)
  }
}

function fieldsOf(value: unknown): ReadonlyMap<string, unknown> {
  return new Map(typeof value === "object" && value !== null ? Object.entries(value) : [])
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : ""
}
