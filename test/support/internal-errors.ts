/**
 * A logger that keeps what a broker calls an internal error: the bugs that cost one connection or request only,
 * and which a test would not see otherwise.
 */
import assert from "node:assert/strict"
import { inspect } from "node:util"
import { silentLogger } from "../../src/util/logger.ts"
import type { Logger } from "../../src/util/logger.ts"

export class InternalErrors implements Logger {
  readonly #found: string[] = []
  readonly #next: Logger

  /** What is logged goes on to `next`. */
  constructor(next: Logger = silentLogger) {
    this.#next = next
  }

  assertNone(): void {
    assert.deepEqual(this.#found, [])
  }

  debug(fields: object, text: string): void {
    this.#next.debug(fields, text)
  }

  info(fields: object, text: string): void {
    this.#next.info(fields, text)
  }

  warn(fields: object, text: string): void {
    this.#next.warn(fields, text)
  }

  error(fields: object, text: string): void {
    if (text.startsWith("internal error")) this.#found.push(`${text}: ${inspect(fields)}`)
    this.#next.error(fields, text)
  }
}
