import type { JsonDocument } from "../auth/users.ts"

/**
 * A set of names in a file of its own, such as the shovels that are paused:
 *
 *   <vhost>/paused_shovels.json   ["copy","orders to archive"]
 *
 * What is named there, and what it means, is the business of whoever asks.
 */
export class StoredNames {
  readonly #document: JsonDocument
  readonly #names = new Set<string>()

  constructor(document: JsonDocument) {
    this.#document = document
  }

  /** What makes no sense in the file is as if it were absent. */
  load(): void {
    const stored = this.#document.load()
    this.#names.clear()
    if (Array.isArray(stored))
      for (const name of stored) if (typeof name === "string") this.#names.add(name)
  }

  has(name: string): boolean {
    return this.#names.has(name)
  }

  /** Holds at once; resolves when it is on disk. */
  async set(name: string, isIn: boolean): Promise<void> {
    if (this.#names.has(name) === isIn) return
    if (isIn) this.#names.add(name)
    else this.#names.delete(name)
    await this.#document.save([...this.#names])
  }
}
