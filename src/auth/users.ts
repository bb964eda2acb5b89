import type { Random } from "../util/random.ts"
import { AuthError } from "./errors.ts"
import { isLoopback } from "./loopback.ts"
import { parseAlgorithmName, PasswordHash } from "./password-hash.ts"
import { VhostPermissions, type PermissionSources } from "./permissions.ts"
import { parseUsers, UserRecord } from "./users-file.ts"

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
  readonly isDeleted: boolean
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
  readonly #defaultHash: PasswordHash
  readonly #defaultUserLoopbackOnly: boolean
  readonly #onChanged: () => void
  /** Checked when there is no such user, so that the answer takes as long as for a wrong password. */
  readonly #decoy: PasswordHash

  constructor(options: UserStoreOptions) {
    this.#document = options.document
    this.#random = options.random
    this.#defaultUser = options.defaultUser ?? "guest"
    this.#defaultHash =
      options.defaultPasswordHash === undefined
        ? PasswordHash.create(options.defaultPassword ?? "guest", options.random)
        : PasswordHash.parse(options.defaultPasswordHash, "sha256")
    this.#defaultUserLoopbackOnly = options.defaultUserLoopbackOnly ?? true
    this.#onChanged = options.onChanged ?? ((): void => {})
    this.#decoy = PasswordHash.create("", options.random)
  }

  /** Reads the file, or creates the default user if there is none. Throws AuthError if it is no list of users. */
  async load(): Promise<void> {
    const stored = this.#document.load()
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
   * An empty password never logs in.
   */
  authenticate(name: string, password: string, remoteAddress: string | null): User | null {
    const user = this.#users.get(name)
    const hash = user?.hash ?? null
    const isRight = (hash ?? this.#decoy).matches(password)
    if (user === undefined || hash === null || !isRight || password === "") return null
    const isBound = this.#defaultUserLoopbackOnly && name === this.#defaultUser
    return isBound && !isLoopback(remoteAddress) ? null : user
  }

  /** Creates or changes. The same password again keeps its hash. Resolves when it is on disk. */
  async setPassword(name: string, password: string): Promise<void> {
    const user = this.#users.get(name) ?? this.#add(name)
    if (user.hash === null || !user.hash.matches(password))
      user.setHash(PasswordHash.create(password, this.#random))
    await this.#commit()
  }

  /**
   * Creates or changes with a hash from elsewhere; an empty one means that no password logs in.
   * Throws AuthError if it cannot be a hash of that algorithm.
   */
  async setPasswordHash(name: string, hash: string, algorithm: string | null): Promise<void> {
    const parsed = hash === "" ? null : PasswordHash.parse(hash, parseAlgorithmName(algorithm))
    const user = this.#users.get(name) ?? this.#add(name)
    user.setHash(parsed)
    await this.#commit()
  }

  async setTags(name: string, tags: readonly string[]): Promise<void> {
    this.#existing(name).tags = [...new Set(tags)]
    await this.#commit()
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

  /** The vhost is gone: so are all permissions on it. */
  async removeVhost(vhostName: string): Promise<void> {
    let isChanged = false
    for (const user of this.#users.values()) if (user.removePermissions(vhostName)) isChanged = true
    if (isChanged) await this.#commit()
  }

  /** False if there is no such user. */
  async delete(name: string): Promise<boolean> {
    const user = this.#users.get(name)
    if (user === undefined) return false
    this.#users.delete(name)
    user.isDeleted = true
    user.permissions.clear()
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

  #save(): Promise<void> {
    return this.#document.save([...this.#users.values()].map((user) => user.toJSON()))
  }
}
