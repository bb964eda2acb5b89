import { AuthError } from "../auth/errors.ts"
import type { PermissionSources } from "../auth/permissions.ts"
import type { TopicPermissionSources } from "../auth/topic-permissions.ts"
import type { User, UserStore } from "../auth/users.ts"
import { StorageError } from "../storage/disk.ts"
import type { Broker } from "./broker.ts"
import { Refusal, savedInForce } from "./errors.ts"
import type { UserLimits } from "./limits.ts"
import type { VhostChanges } from "./vhost-changes.ts"
import type { VhostEntry, VhostMetadata } from "./vhost-store.ts"

/**
 * What operators change at run time: users, permissions, vhosts, limits. For the management (HTTP,
 * command line, definitions), which decides who may call what. Everything that changes something holds
 * at once for open connections, resolves when it is safe on disk, and throws a Refusal whose text says
 * what is wrong: not-found, precondition-failed for bad input, resource-error if the disk refuses. What
 * the disk refused of users, permissions and limits holds all the same, and is saved with the next change;
 * a vhost is then as it was.
 */

export interface UserDescription {
  readonly name: string
  readonly tags: readonly string[]
  /** Base64, or the text of bcrypt; "" if no password logs in. */
  readonly passwordHash: string
  /** Such as rabbit_password_hashing_sha256; null without a hash. */
  readonly hashingAlgorithm: string | null
  /** Only what is limited: max-connections, max-channels. */
  readonly limits: Readonly<Record<string, number>>
}

/** What is not given stays as it is; a new user has no tags and no password. */
export interface UserRequest {
  /** Not together with passwordHash. Must not be empty. */
  readonly password?: string
  /** "" means that no password logs in. */
  readonly passwordHash?: string
  /** Of passwordHash. By default what its size says; names as RabbitMQ and LavinMQ write them. */
  readonly hashingAlgorithm?: string
  readonly tags?: readonly string[]
}

export interface PermissionDescription extends PermissionSources {
  readonly user: string
  readonly vhost: string
}

export interface TopicPermissionDescription extends TopicPermissionSources {
  readonly user: string
  readonly vhost: string
  readonly exchange: string
}

/** Which permissions are listed; all without it. */
export interface PermissionFilter {
  readonly user?: string
  readonly vhost?: string
}

export interface VhostDescription extends VhostEntry {
  /** Only what is limited: max-connections, max-queues. */
  readonly limits: Readonly<Record<string, number>>
}

const ALL: PermissionSources = { configure: ".*", write: ".*", read: ".*" }

export class Administration {
  readonly #broker: Broker
  readonly #vhosts: VhostChanges

  constructor(broker: Broker, vhosts: VhostChanges) {
    this.#broker = broker
    this.#vhosts = vhosts
  }

  get #users(): UserStore {
    return this.#broker.users
  }

  get #userLimits(): UserLimits {
    return this.#broker.userLimits
  }

  // ---- users

  /** In the order of creation. */
  listUsers(): UserDescription[] {
    return this.#users.list().map((user) => this.#describeUser(user))
  }

  /** Throws not-found. */
  getUser(name: string): UserDescription {
    return this.#describeUser(this.#user(name))
  }

  #describeUser(user: User): UserDescription {
    const { name, tags, passwordHash, hashingAlgorithm } = user
    const limits = this.#userLimits.describe(name)
    return { name, tags, passwordHash, hashingAlgorithm, limits }
  }

  /** Creates or changes; true if it is new. */
  async putUser(name: string, request: UserRequest): Promise<boolean> {
    const { password, passwordHash } = request
    if (password !== undefined && passwordHash !== undefined)
      throw new Refusal("precondition-failed", "both password and password_hash were given")
    if (password === "") throw new Refusal("precondition-failed", "the password is empty")
    return this.#saved(() => this.#users.put(name, request))
  }

  /** Throws not-found. The same password again keeps its hash. */
  async setPassword(name: string, password: string): Promise<void> {
    this.#user(name)
    await this.putUser(name, { password })
  }

  /** No password logs in any more. Throws not-found. */
  async clearPassword(name: string): Promise<void> {
    this.#user(name)
    await this.putUser(name, { passwordHash: "" })
  }

  /** Throws not-found. */
  async setTags(name: string, tags: readonly string[]): Promise<void> {
    this.#user(name)
    await this.putUser(name, { tags })
  }

  /** With its permissions and limits; closes its connections. Throws not-found. */
  async deleteUser(name: string): Promise<void> {
    const user = this.#user(name)
    const closed = this.#broker.closeConnections(
      (session) => session.user === user,
      `user '${name}' was deleted`,
    )
    await this.#saved(() =>
      Promise.all([this.#users.delete(name), this.#userLimits.remove(name), closed]),
    )
  }

  /** The user, or null for every reason to refuse alike. `remoteAddress` is null for a Unix socket. */
  async authenticate(
    name: string,
    password: string,
    remoteAddress: string | null,
  ): Promise<User | null> {
    return this.#users.authenticate(name, password, remoteAddress)
  }

  // ---- permissions

  listPermissions(filter: PermissionFilter = {}): PermissionDescription[] {
    const list: PermissionDescription[] = []
    for (const user of this.#users.list()) {
      if (filter.user !== undefined && filter.user !== user.name) continue
      for (const [vhost, { configure, write, read }] of user.permissions)
        if (filter.vhost === undefined || filter.vhost === vhost)
          list.push({ user: user.name, vhost, configure, write, read })
    }
    return list
  }

  /** Null if there are none. Throws not-found if there is no such user or vhost. */
  getPermissions(user: string, vhost: string): PermissionDescription | null {
    this.#checkVhost(vhost)
    const found = this.#user(user).permissions.get(vhost)
    if (found === undefined) return null
    const { configure, write, read } = found
    return { user, vhost, configure, write, read }
  }

  /** True if they are new. Throws not-found if there is no such user or vhost. */
  async setPermissions(user: string, vhost: string, sources: PermissionSources): Promise<boolean> {
    this.#checkVhost(vhost)
    const isNew = !this.#user(user).permissions.has(vhost)
    await this.#saved(() => this.#users.setPermissions(user, vhost, sources))
    return isNew
  }

  /** No error if there are none. Throws not-found if there is no such user or vhost. */
  async clearPermissions(user: string, vhost: string): Promise<void> {
    this.#checkVhost(vhost)
    this.#user(user)
    await this.#saved(() => this.#users.removePermissions(user, vhost))
  }

  listTopicPermissions(filter: PermissionFilter = {}): TopicPermissionDescription[] {
    const list: TopicPermissionDescription[] = []
    for (const user of this.#users.list()) {
      if (filter.user !== undefined && filter.user !== user.name) continue
      for (const [vhost, exchanges] of user.topicPermissions) {
        if (filter.vhost !== undefined && filter.vhost !== vhost) continue
        for (const [exchange, { write, read }] of exchanges)
          list.push({ user: user.name, vhost, exchange, write, read })
      }
    }
    return list
  }

  /**
   * Limits the routing and binding keys that the user may use at a topic exchange, which need not exist;
   * true if there were none for it. "" is the default exchange's name. Throws not-found.
   */
  async setTopicPermissions(
    user: string,
    vhost: string,
    exchange: string,
    sources: TopicPermissionSources,
  ): Promise<boolean> {
    this.#checkVhost(vhost)
    const isNew = this.#user(user).topicPermissions.get(vhost)?.has(exchange) !== true
    await this.#saved(() => this.#users.setTopicPermissions(user, vhost, exchange, sources))
    return isNew
  }

  /** Of one exchange, or of all in the vhost. No error if there are none. Throws not-found. */
  async clearTopicPermissions(
    user: string,
    vhost: string,
    exchange: string | null = null,
  ): Promise<void> {
    this.#checkVhost(vhost)
    this.#user(user)
    await this.#saved(() => this.#users.removeTopicPermissions(user, vhost, exchange))
  }

  // ---- vhosts

  /** In the order of creation. */
  listVhosts(): VhostDescription[] {
    return this.#vhosts.list().map((entry) => this.#describeVhost(entry))
  }

  /** Throws not-found. */
  getVhost(name: string): VhostDescription {
    const entry = this.#vhosts.get(name)
    if (entry === null) throw noVhost(name)
    return this.#describeVhost(entry)
  }

  #describeVhost(entry: VhostEntry): VhostDescription {
    const limits = this.#broker.vhosts.get(entry.name)?.limits.toJSON() ?? {}
    return { ...entry, limits }
  }

  /**
   * Creates, or changes what is given of the metadata; true if it is new. The user that creates it gets
   * all permissions on it, unless it has some already.
   */
  async putVhost(
    name: string,
    metadata: VhostMetadata = {},
    creator: string | null = null,
  ): Promise<boolean> {
    return this.#checkedVhost(async () => {
      const isNew = await this.#vhosts.put(name, metadata)
      const user = creator === null ? null : this.#users.get(creator)
      if (isNew && user !== null && !user.permissions.has(name))
        await this.#saved(() => this.#users.setPermissions(user.name, name, ALL))
      return isNew
    })
  }

  /**
   * With everything in it and all permissions on it; closes its connections. Resolves when its files are
   * gone, which takes a second for some thousand queues. Throws not-found.
   */
  async deleteVhost(name: string): Promise<void> {
    if (this.#vhosts.get(name)?.isProtected === true)
      throw new Refusal(
        "precondition-failed",
        `vhost '${name}' is protected from deletion: take the protection back first`,
      )
    if (!(await this.#checkedVhost(() => this.#vhosts.delete(name)))) throw noVhost(name)
  }

  // ---- limits

  /** max-connections or max-queues. A negative value removes the limit. */
  async setVhostLimit(vhost: string, limit: string, value: number): Promise<void> {
    const found = this.#broker.vhosts.get(vhost)
    if (found === undefined) throw noVhost(vhost)
    await this.#saved(() => found.limits.set(limit, value))
  }

  /** max-connections or max-channels. A negative value removes the limit. */
  async setUserLimit(user: string, limit: string, value: number): Promise<void> {
    this.#user(user)
    await this.#saved(() => this.#userLimits.set(user, limit, value))
  }

  #user(name: string): User {
    const user = this.#users.get(name)
    if (user === null) throw new Refusal("not-found", `no user '${name}'`)
    return user
  }

  #checkVhost(name: string): void {
    if (this.#vhosts.get(name) === null) throw noVhost(name)
  }

  async #saved<T>(change: () => Promise<T>): Promise<T> {
    return savedInForce(this.#checked(change))
  }

  /** Bad input of the caller, as the layers below name it. */
  async #checked<T>(change: () => Promise<T>): Promise<T> {
    try {
      return await change()
    } catch (error) {
      if (error instanceof AuthError) throw new Refusal("precondition-failed", error.message)
      throw error
    }
  }

  /** Of a vhost, which is as it was if the disk refuses. */
  async #checkedVhost<T>(change: () => Promise<T>): Promise<T> {
    try {
      return await this.#checked(change)
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      throw new Refusal(
        "resource-error",
        `the change was taken back, it could not be saved: ${error.message}`,
      )
    }
  }
}

function noVhost(name: string): Refusal {
  return new Refusal("not-found", `no vhost '${name}'`)
}
