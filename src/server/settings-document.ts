import type { JsonDocument } from "../auth/users.ts"
import { StorageError, type Disk } from "../storage/disk.ts"
import { JsonStore } from "../storage/json-store.ts"
import type { DocumentShape } from "../broker/vhost-context.ts"
import type { Logger } from "../util/logger.ts"

/**
 * A JSON file without which the broker can start: policies, limits, parameters. One that is damaged
 * (no JSON, or of another shape) is renamed to `<name>.corrupt`, for people, and reads as absent. One that
 * cannot be read stops the start: it may be whole, and the next save would replace it. Not for
 * users.json and vhosts.json, without which nobody could log in.
 */
export class SettingsDocument implements JsonDocument {
  readonly #disk: Disk
  readonly #path: string
  readonly #shape: DocumentShape
  readonly #log: Logger
  readonly #store: JsonStore

  constructor(disk: Disk, path: string, shape: DocumentShape, log: Logger) {
    this.#disk = disk
    this.#path = path
    this.#shape = shape
    this.#log = log
    this.#store = new JsonStore(disk, path)
  }

  /** Null if there is no such file, or it was damaged. Throws StorageError if it cannot be read. */
  load(): unknown {
    try {
      const value = this.#store.load()
      if (value === null || shapeOf(value) === this.#shape) return value
      this.#setAside(`not a JSON ${this.#shape}`)
    } catch (error) {
      if (!(error instanceof StorageError) || error.code !== "CORRUPT") throw error
      this.#setAside(error.message)
    }
    return null
  }

  save(value: unknown): Promise<void> {
    return this.#store.save(value)
  }

  /** Throws StorageError. */
  #setAside(reason: string): void {
    this.#disk.rename(this.#path, `${this.#path}.corrupt`)
    this.#log.error(
      { path: this.#path, reason },
      "a settings file was damaged: it was renamed to .corrupt, and the broker starts without it",
    )
  }
}

function shapeOf(value: unknown): DocumentShape | null {
  if (typeof value !== "object") return null
  return Array.isArray(value) ? "list" : "object"
}
