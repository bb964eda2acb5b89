import type { StoreContext } from "./store-context.ts"

/**
 * The directory of a store: made when the first byte is written, removed when nothing is in it any
 * more. Holds `.queue` with the name of the queue in plain text, for people and for tools.
 */
export const QUEUE_NAME_FILE = ".queue"

export class StoreDirectory {
  readonly path: string
  readonly #name: string
  /** If it is the directory of one priority: the queue's. */
  readonly #parent: StoreDirectory | null
  /** Directory and name file are there. */
  #isReady = false
  /** A name was made in it that no sync covers yet. */
  #isChanged = false
  /** So was the directory itself. */
  #isNew = false

  constructor(path: string, name: string, parent: StoreDirectory | null = null) {
    this.path = path
    this.#name = name
    this.#parent = parent
  }

  /** Makes it if it is absent. Throws StorageError. */
  ensure(context: StoreContext): void {
    if (this.#isReady) return
    const { disk } = context
    this.#parent?.ensure(context)
    this.#parent?.noteCreation()
    disk.makeDirectory(this.path)
    this.#isNew = true
    this.#isChanged = true
    const content = Buffer.from(this.#name)
    const path = `${this.path}/${QUEUE_NAME_FILE}`
    const fd = disk.open(path, true)
    try {
      disk.write(fd, content, 0, content.length, 0)
    } finally {
      disk.close(fd)
    }
    this.#isReady = true
  }

  /** It was found with this content at boot. Nobody knows whether the names were ever synced. */
  adopt(names: readonly string[]): void {
    this.#isReady = names.includes(QUEUE_NAME_FILE)
    this.#isNew = true
    this.#isChanged = true
    this.#parent?.noteCreation()
  }

  /** A file was made in it. */
  noteCreation(): void {
    this.#isChanged = true
  }

  /** Makes the next round of syncs cover names made since the last call. */
  touch(context: StoreContext): void {
    if (!this.#isChanged) return
    this.#isChanged = false
    context.commit.touchDirectory(this.path)
    if (!this.#isNew) return
    this.#isNew = false
    // The name decides at boot whether the queue is still declared.
    context.commit.touchFile(`${this.path}/${QUEUE_NAME_FILE}`)
    if (this.#parent === null) context.commit.touchDirectory(parentOf(this.path))
    else this.#parent.touch(context)
  }

  /** It is about to be removed; the next ensure() makes it again. */
  forget(context: StoreContext): void {
    context.openFiles.forget(`${this.path}/${QUEUE_NAME_FILE}`) // Opened for a sync.
    this.#isReady = false
  }
}

export function parentOf(path: string): string {
  const slash = path.lastIndexOf("/")
  return slash <= 0 ? "/" : path.slice(0, slash)
}
