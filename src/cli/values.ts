/** What the command line gives a command: its arguments by name and options by long name. */
import { usageError } from "./exit-codes.ts"

export class Values {
  readonly #values: ReadonlyMap<string, unknown>

  constructor(values: ReadonlyMap<string, unknown>) {
    this.#values = values
  }

  /** Of a required argument or option. */
  text(name: string): string {
    const value = this.optional(name)
    if (value === undefined) throw usageError(`${name} is missing`)
    return value
  }

  optional(name: string): string | undefined {
    const value = this.#values.get(name)
    return typeof value === "string" ? value : undefined
  }

  /** Of an option that the table says is a number. */
  number(name: string): number | undefined {
    const text = this.optional(name)
    return text === undefined ? undefined : Number(text)
  }

  isOn(name: string): boolean {
    return this.#values.get(name) === true
  }

  isOff(name: string): boolean {
    return this.#values.get(name) === false
  }

  /** Of a variadic argument. */
  list(name: string): readonly string[] {
    const value = this.#values.get(name)
    return Array.isArray(value) ? value.filter((item) => typeof item === "string") : []
  }
}
