import { appendFileSync } from "node:fs"

/**
 * The secrets of TLS connections in the format that Wireshark reads (NSS key log), for finding faults.
 * Readable by the owner only. A file that cannot be written never ends a connection.
 */
export class KeyLog {
  /** "" writes nothing. */
  path = ""
  #failedPath = ""
  readonly #onError: (path: string, error: unknown) => void

  constructor(onError: (path: string, error: unknown) => void) {
    this.#onError = onError
  }

  write(line: Buffer): void {
    const { path } = this
    if (path === "") return
    try {
      appendFileSync(path, line, { mode: 0o600 })
    } catch (error) {
      if (this.#failedPath !== path) this.#onError(path, error)
      this.#failedPath = path
    }
  }
}
