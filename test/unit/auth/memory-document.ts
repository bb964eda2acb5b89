import type { JsonDocument } from "../../../src/auth/users.ts"

/** A JSON file in memory. What is loaded went through JSON, like from a disk. */
export class MemoryDocument implements JsonDocument {
  value: unknown
  saveCount = 0

  constructor(value: unknown) {
    this.value = value
  }

  load(): unknown {
    return JSON.parse(JSON.stringify(this.value))
  }

  async save(value: unknown): Promise<void> {
    this.value = JSON.parse(JSON.stringify(value))
    this.saveCount++
    await Promise.resolve()
  }
}
