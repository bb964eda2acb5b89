import type { Broker } from "../broker/broker.ts"
import type { VhostChanges } from "../broker/vhost-changes.ts"
import { VhostStore } from "../broker/vhost-store.ts"
import type { VhostEntry, VhostMetadata } from "../broker/vhost-store.ts"
import { totalsOf } from "../broker/vhost-totals.ts"
import { HASHED_NAME, vhostDirectory } from "../storage/data-directory.ts"
import { StorageError } from "../storage/disk.ts"
import { JsonStore } from "../storage/json-store.ts"
import { removeVhostTree } from "../storage/store-deletion.ts"
import { VhostStorage } from "./vhost-storage.ts"
import type { StorageContext } from "./vhost-storage.ts"

/**
 * The vhosts of a broker and their files: opens them at boot, makes and deletes them at run time. One
 * change at a time.
 *
 * A directory whose vhost is not listed stays where it is, and belongs to the vhost again when one of
 * that name is made: vhosts.json may have been lost. What was deleted must not come back that way:
 *
 *   1. `.deletion` is written into the directory   2. the vhost leaves vhosts.json
 *   3. connections and queues go                   4. files go, `.deletion` last
 *
 * After a crash a marked directory is removed if its vhost is not listed any more; if it still is (a
 * crash between 1 and 2), the mark is.
 */
const MARK_FILE = ".deletion"

export interface VhostsOptions {
  readonly root: string
  readonly broker: Broker
  readonly stores: StorageContext
}

export class Vhosts implements VhostChanges {
  readonly #root: string
  readonly #broker: Broker
  readonly #stores: StorageContext
  readonly #store: VhostStore
  readonly #storages = new Map<string, VhostStorage>()
  #lastChange: Promise<unknown> = Promise.resolve()
  #isClosed = false

  constructor({ root, broker, stores }: VhostsOptions) {
    this.#root = root
    this.#broker = broker
    this.#stores = stores
    this.#store = new VhostStore(new JsonStore(stores.disk, `${root}/vhosts.json`))
  }

  list(): VhostEntry[] {
    return this.#store.list()
  }

  get(name: string): VhostEntry | null {
    return this.#store.get(name)
  }

  // ---- at boot and at the end

  /** Opens the listed ones, or makes the default vhost if there is no list and one is wanted. */
  async load(makesDefault = true): Promise<void> {
    await this.#store.load(makesDefault)
    const listed = new Set<string>()
    for (const entry of this.list()) {
      this.#stores.disk.remove(this.#markPath(entry.name))
      listed.add(entry.dir)
      this.#publish(entry, this.#open(entry))
    }
    for (const name of this.#stores.disk.list(this.#root))
      if (HASHED_NAME.test(name) && !listed.has(name)) this.#resumeDeletion(`${this.#root}/${name}`)
  }

  /** In the background: it may be thousands of files, and nobody can see them. */
  #resumeDeletion(directory: string): void {
    const name = new JsonStore(this.#stores.disk, `${directory}/${MARK_FILE}`).load()
    if (typeof name !== "string") {
      this.#broker.log.warn(
        { directory },
        "there are files of a vhost that vhosts.json does not list",
      )
      return
    }
    void this.#inOrder(async () => {
      // A vhost of this name may have been made by a request that came first.
      if (this.get(name) !== null) return
      await this.#broker.users.removeVhost(name)
      await this.#removeFiles(directory, name)
    })
  }

  #open({ name }: VhostEntry): VhostStorage {
    const storage = new VhostStorage(
      name,
      vhostDirectory(this.#root, name),
      this.#broker,
      this.#stores,
    )
    storage.open()
    return storage
  }

  #publish(entry: VhostEntry, storage: VhostStorage): void {
    storage.vhost.defaultQueueType = entry.defaultQueueType
    this.#storages.set(entry.name, storage)
    this.#broker.vhosts.set(entry.name, storage.vhost)
  }

  /** About twice a second. */
  tick(): void {
    for (const storage of this.#storages.values()) storage.tick()
  }

  /** Resolves when the change at work, if any, has ended. No more are taken. */
  async settled(): Promise<void> {
    this.#isClosed = true
    await this.#lastChange
  }

  close(): void {
    for (const storage of this.#storages.values()) storage.close()
  }

  // ---- at run time

  put(name: string, metadata: VhostMetadata): Promise<boolean> {
    return this.#inOrder(async () => {
      const present = this.#storages.get(name)
      if (present === undefined) await this.#removeLeftovers(name)
      await this.#store.add(name, metadata)
      const entry = this.get(name)!
      if (present === undefined) await this.#create(entry)
      else present.vhost.defaultQueueType = entry.defaultQueueType
      return present === undefined
    })
  }

  /** Of a deletion that did not get so far. */
  async #removeLeftovers(name: string): Promise<void> {
    if (this.#stores.disk.readFile(this.#markPath(name)) === null) return
    await removeVhostTree(this.#stores, vhostDirectory(this.#root, name))
  }

  /** It is in vhosts.json: a crash from here on leaves an empty vhost. */
  async #create(entry: VhostEntry): Promise<void> {
    try {
      this.#publish(entry, this.#open(entry))
    } catch (error) {
      await this.#store.remove(entry.name)
      throw error
    }
    this.#broker.log.info({ vhost: entry.name }, "vhost created")
    this.#broker.onVhostAdded(this.#storages.get(entry.name)!.vhost)
  }

  delete(name: string): Promise<boolean> {
    return this.#inOrder(async () => {
      const storage = this.#storages.get(name)
      if (storage === undefined) return false
      const { vhost } = storage
      const { vhosts } = this.#broker
      const totals = totalsOf(vhost)
      totals.queuesDeletedCount += vhost.queues.size
      vhosts.delete(name) // Nobody connects any more.
      this.#broker.deletedVhosts.add(totals)
      try {
        await new JsonStore(this.#stores.disk, this.#markPath(name)).save(name)
        await this.#store.remove(name)
      } catch (error) {
        vhosts.set(name, vhost)
        this.#broker.deletedVhosts.remove(totals)
        this.#removeMark(name)
        throw error
      }
      this.#storages.delete(name)
      await this.#broker.onVhostDeleted(vhost)
      await this.#broker.closeConnections(
        (session) => session.vhost === vhost,
        `vhost '${name}' is deleted`,
      )
      await storage.dispose()
      await this.#broker.users.removeVhost(name)
      await this.#removeFiles(vhostDirectory(this.#root, name), name)
      this.#broker.log.info({ vhost: name }, "vhost deleted")
      return true
    })
  }

  #markPath(name: string): string {
    return `${vhostDirectory(this.#root, name)}/${MARK_FILE}`
  }

  #removeMark(name: string): void {
    try {
      this.#stores.disk.remove(this.#markPath(name))
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      // It is removed at the next start, because the vhost is listed.
    }
  }

  async #removeFiles(directory: string, vhost: string): Promise<void> {
    try {
      await removeVhostTree(this.#stores, directory)
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      this.#broker.log.warn(
        { vhost, path: error.path, code: error.code },
        "files of a deleted vhost remain until the next start",
      )
    }
  }

  #inOrder<T>(change: () => Promise<T>): Promise<T> {
    const result = this.#lastChange.then(() => {
      if (this.#isClosed) throw new StorageError(this.#root, "CLOSED", "the broker is stopping")
      return change()
    })
    // Whoever asked for it has the error; the next change comes anyway.
    this.#lastChange = result.catch(() => {})
    return result
  }
}
