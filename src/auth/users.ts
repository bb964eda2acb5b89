import type { Random } from "../util/random.ts"
import { DIRECT_USER_NAME } from "./direct-user.ts"
import { AuthError } from "./errors.ts"
import { isLoopback } from "./loopback.ts"
import { likelyAlgorithmName, parseStoredPassword, PasswordHash } from "./password-hash.ts"
import type { StoredPassword } from "./password-hash.ts"
import { VhostPermissions, type PermissionSources } from "./permissions.ts"
import { TopicPermissions, type TopicPermissionSources } from "./topic-permissions.ts"
import { parseTags, parseUsers, UserRecord } from "./users-file.ts"

/**
 * The users of the broker: who may log in, with what tags and permissions. Kept in users.json, in the
 * format of LavinMQ (users-file.ts). Whether an operation is allowed is decided by the broker, with
 * Permissions (permissions.ts).
 */

/** A JSON file that is replaced as a whole. Implemented by storage/json-store.ts. */
export interface JsonDocument {
  /** Null if there is no such file. Throws if it is no JSON. */
  load(): unknown
  /** Resolves when the value is safe on disk. */
  save(value: unknown): Promise<void>
}

/** Stays the same object while the user exists; its fields follow changes. */
export interface User {
  readonly name: string
  readonly tags: readonly string[]
  /** By vhost. Without an entry the user cannot connect to it. */
  readonly permissions: ReadonlyMap<string, VhostPermissions>
  /** By vhost and exchange. */
  readonly topicPermissions: ReadonlyMap<string, ReadonlyMap<string, TopicPermissions>>
  /** As stored; "" if no password logs in. */
  readonly passwordHash: string
  readonly hashingAlgorithm: string | null
  readonly isDeleted: boolean
}

/** What is not given stays as it is. At most one of `password` and `passwordHash`. */
export interface UserChange {
  readonly password?: string
  /** "" means that no password logs in. */
  readonly passwordHash?: string
  /** Of `passwordHash`. Default SHA-256. */
  readonly hashingAlgorithm?: string
  readonly tags?: readonly string[]
}

export interface UserStoreOptions {
  readonly document: JsonDocument
  readonly random: Random
  /** Created with all permissions on `/` when there is no file yet. Default guest. */
  readonly defaultUser?: string
  /** Default guest. */
  readonly defaultPassword?: string
  /** Instead of a password: base64 of salt and SHA-256. */
  readonly defaultPasswordHash?: string
  /** The default user logs in from this machine only. Default true. */
  readonly defaultUserLoopbackOnly?: boolean
  /** Called after every change, when `generation` has risen: routes and verdicts are void. */
  readonly onChanged?: () => void
}

const DEFAULT_VHOST = "/"
const NAME_SIZE_MAX = 255
const ALL: PermissionSources = { configure: ".*", write: ".*", read: ".*" }

export class UserStore {
  /** Raised by every change of users and permissions; what was derived from older ones is void. */
  generation = 0
  /** What could not be used in the file, for the log. Such users or permissions deny. */
  readonly problems: string[] = []
  readonly #users = new Map<string, UserRecord>()
  readonly #document: JsonDocument
  readonly #random: Random
  readonly #defaultUser: string
  readonly #defaultHash: StoredPassword
  /** May change at any time; for logins from then on. */
  defaultUserLoopbackOnly: boolean
  readonly #onChanged: () => void
  /** Checked when there is no such user, so that the answer takes as long as for a wrong password. */
  readonly #decoy: PasswordHash
  /** Not begun yet. */
  #nextSave: Promise<void> | null = null
  #lastSave: Promise<unknown> = Promise.resolve()

  constructor(options: UserStoreOptions) {
    this.#document = options.document
    this.#random = options.random
    this.#defaultUser = options.defaultUser ?? "guest"
    this.#defaultHash =
      options.defaultPasswordHash === undefined
        ? PasswordHash.create(options.defaultPassword ?? "guest", options.random)
        : parseStoredPassword(options.defaultPasswordHash, "sha256")
    this.defaultUserLoopbackOnly = options.defaultUserLoopbackOnly ?? true
    this.#onChanged = options.onChanged ?? ((): void => {})
    this.#decoy = PasswordHash.create("", options.random)
  }

  /**
   * Reads the file, or creates the default user if there is none and one is wanted. Throws AuthError if it
   * is no list of users.
   */
  async load(makesDefault = true): Promise<void> {
    const stored = this.#document.load() ?? (makesDefault ? null : [])
    this.#users.clear()
    if (stored === null) {
      const user = this.#add(this.#defaultUser)
      user.setHash(this.#defaultHash)
      user.tags = ["administrator"]
      user.setPermissions(DEFAULT_VHOST, new VhostPermissions(ALL))
      await this.#save()
    } else for (const user of parseUsers(stored, this.problems)) this.#users.set(user.name, user)
    this.#changed()
  }

  get(name: string): User | null {
    return this.#users.get(name) ?? null
  }

  /** In the order of the file. */
  list(): User[] {
    return [...this.#users.values()]
  }

  /**
   * The user, or null for every reason to refuse alike. `remoteAddress` is null for a Unix socket.
   * An empty password never logs in. A bcrypt hash takes its time on another thread: then the answer is
   * a promise, which rejects if the hash cannot be compared.
   */
  authenticate(
    name: string,
    password: string,
    remoteAddress: string | null,
  ): User | null | Promise<User | null> {
    const user = this.#users.get(name)
    const hash = user?.hash ?? null
    const verdict = (hash ?? this.#decoy).matches(password)
    const answer = (isRight: boolean): User | null => {
      if (user === undefined || hash === null || !isRight || password === "") return null
      if (user.isDeleted || user.hash !== hash) return null // It has changed meanwhile.
      return this.#mayLogInFrom(name, remoteAddress) ? user : null
    }
    return typeof verdict === "boolean" ? answer(verdict) : verdict.then(answer)
  }

  /** Whoever has shown in another way, such as by a certificate, that it is this user. Null as above. */
  authenticateByName(name: string, remoteAddress: string | null): User | null {
    const user = this.#users.get(name)
    return user === undefined || !this.#mayLogInFrom(name, remoteAddress) ? null : user
  }

  #mayLogInFrom(name: string, remoteAddress: string | null): boolean {
    const isBound = this.defaultUserLoopbackOnly && name === this.#defaultUser
    return !isBound || isLoopback(remoteAddress)
  }

  /**
   * Creates or changes; true if it is new. The same password again keeps its hash. Resolves when it is
   * on disk. Throws AuthError, and changes nothing, for input that cannot be accepted.
   */
  async put(name: string, change: UserChange): Promise<boolean> {
    if (name === "" || Buffer.byteLength(name) > NAME_SIZE_MAX)
      throw new AuthError(`a user name has 1 to ${NAME_SIZE_MAX} bytes`)
    if (name === DIRECT_USER_NAME)
      throw new AuthError(`Illegal user name: ${name} is reserved for the control socket`)
    const hash = await this.#hashOf(name, change)
    const present = this.#users.get(name)
    const user = present ?? this.#add(name)
    if (hash !== undefined) user.setHash(hash)
    if (change.tags !== undefined) user.tags = parseTags(change.tags)
    await this.#commit()
    return present === undefined
  }

  /** Undefined if it stays as it is. */
  async #hashOf(name: string, change: UserChange): Promise<StoredPassword | null | undefined> {
    const { password, passwordHash, hashingAlgorithm } = change
    if (passwordHash !== undefined)
      return passwordHash === ""
        ? null
        : parseStoredPassword(passwordHash, hashingAlgorithm ?? likelyAlgorithmName(passwordHash))
    if (password === undefined) return undefined
    const present = this.#users.get(name)?.hash ?? null
    if (present !== null && (await present.matches(password))) return undefined
    return PasswordHash.create(password, this.#random)
  }

  /** Throws AuthError, and changes nothing, if one of the expressions cannot be accepted. */
  async setPermissions(name: string, vhostName: string, sources: PermissionSources): Promise<void> {
    this.#existing(name).setPermissions(vhostName, new VhostPermissions(sources))
    await this.#commit()
  }

  /** No error if there are none. */
  async removePermissions(name: string, vhostName: string): Promise<void> {
    if (this.#existing(name).removePermissions(vhostName)) await this.#commit()
  }

  /** Throws AuthError, and changes nothing, if one of the expressions cannot be accepted. */
  async setTopicPermissions(
    name: string,
    vhostName: string,
    exchange: string,
    sources: TopicPermissionSources,
  ): Promise<void> {
    const user = this.#existing(name)
    const permissions = TopicPermissions.create(sources, name, vhostName)
    user.setTopicPermissions(vhostName, exchange, permissions)
    await this.#commit()
  }

  /** Of one exchange, or of all in the vhost. No error if there are none. */
  async removeTopicPermissions(
    name: string,
    vhostName: string,
    exchange: string | null,
  ): Promise<void> {
    if (this.#existing(name).removeTopicPermissions(vhostName, exchange)) await this.#commit()
  }

  /** The vhost is gone: so are all permissions on it. */
  async removeVhost(vhostName: string): Promise<void> {
    let isChanged = false
    for (const user of this.#users.values()) {
      if (user.removePermissions(vhostName)) isChanged = true
      if (user.removeTopicPermissions(vhostName, null)) isChanged = true
    }
    if (isChanged) await this.#commit()
  }

  /** False if there is no such user. */
  async delete(name: string): Promise<boolean> {
    const user = this.#users.get(name)
    if (user === undefined) return false
    this.#users.delete(name)
    user.isDeleted = true
    user.permissions.clear()
    user.topicPermissions.clear()
    await this.#commit()
    return true
  }

  #existing(name: string): UserRecord {
    const user = this.#users.get(name)
    if (user === undefined) throw new AuthError(`no user '${name}'`)
    return user
  }

  #add(name: string): UserRecord {
    const user = new UserRecord(name)
    this.#users.set(name, user)
    return user
  }

  async #commit(): Promise<void> {
    this.#changed()
    await this.#save()
  }

  #changed(): void {
    this.generation++
    this.#onChanged()
  }

  /** One at a time; what changes meanwhile goes with the next one, so that thousands of users take few. */
  #save(): Promise<void> {
    const next =
      this.#nextSave ??
      this.#lastSave.then(() => {
        this.#nextSave = null
        return this.#document.save([...this.#users.values()].map((user) => user.toJSON()))
      })
    this.#nextSave = next
    this.#lastSave = next.catch(() => {}) // Whoever waits for it has the error.
    return next
  }
}
