import type { PlainRecord, PlainValue } from "../../amqp/table.ts"

/**
 * Reads the fields of a parameter's value and collects what is wrong with them, in RabbitMQ's words
 * where it has any. Fields that nobody has asked for are unknown, and refused.
 */
export class ParameterReader {
  readonly problems: string[] = []
  readonly #fields: ReadonlyMap<string, unknown>
  readonly #asked = new Set<string>()

  constructor(value: object) {
    this.#fields = new Map<string, unknown>(Object.entries(value))
  }

  /** The first of the names that has a value; null and "" count as none. */
  value(...names: readonly string[]): unknown {
    let found: unknown
    for (const name of names) {
      this.#asked.add(name)
      const value = this.#fields.get(name)
      if (found === undefined && value !== null && value !== "") found = value
    }
    return found
  }

  /** True if the field is there, whatever it says. */
  has(name: string): boolean {
    this.#asked.add(name)
    return this.#fields.get(name) !== undefined && this.#fields.get(name) !== null
  }

  text(name: string, maxBytes = 255): string | null {
    const value = this.value(name)
    if (value === undefined) return null
    if (typeof value !== "string") return this.#wrong(name, "a string", value)
    if (Buffer.byteLength(value) > maxBytes)
      this.problems.push(`${name} is longer than ${String(maxBytes)} bytes`)
    return value
  }

  flag(...names: readonly [string, ...string[]]): boolean {
    const value = this.value(...names)
    if (value === undefined) return false
    if (typeof value !== "boolean") this.#wrong(names[0], "a boolean", value)
    return value === true
  }

  integer(names: readonly [string, ...string[]], fallback: number, max: number, min = 0): number {
    const value = this.value(...names)
    if (value === undefined) return fallback
    if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max)
      return value
    this.#wrong(names[0], `a number from ${String(min)} to ${String(max)}`, value)
    return fallback
  }

  /** A number that need not be whole. */
  number(name: string, fallback: number, max: number): number {
    const value = this.value(name)
    if (value === undefined) return fallback
    if (typeof value === "number" && value >= 0 && value <= max) return value
    this.#wrong(name, `a number from 0 to ${String(max)}`, value)
    return fallback
  }

  choice<T extends string>(name: string, fallback: T, choices: readonly T[]): T {
    const value = this.value(name)
    if (value === undefined) return fallback
    const wanted = typeof value === "string" ? plainWord(value) : ""
    const found = choices.find((choice) => plainWord(choice) === wanted)
    if (found === undefined) this.#wrong(name, `one of ${choices.join(", ")}`, value)
    return found ?? fallback
  }

  /** A JSON object, as clients give arguments. */
  table(...names: readonly [string, ...string[]]): PlainRecord {
    const value = this.value(...names)
    if (value === undefined) return {}
    if (isRecord(value)) return value
    if (!(Array.isArray(value) && value.length === 0)) this.#wrong(names[0], "an object", value)
    return {} // PHP clients write an empty object as an empty list.
  }

  /** After all fields were asked for. */
  refuseOthers(component: string): void {
    const others = [...this.#fields.keys()].filter((name) => !this.#asked.has(name))
    if (others.length > 0)
      this.problems.push(
        `Unrecognised terms [${others.map((name) => JSON.stringify(name)).join(", ")}] in ${component}`,
      )
  }

  #wrong(name: string, expected: string, actual: unknown): null {
    this.problems.push(`${name} should be ${expected}, actually was ${shown(actual)}`)
    return null
  }
}

/** Hyphens, underscores and case are ignored, as LavinMQ does. */
function plainWord(word: string): string {
  return word.toLowerCase().replaceAll(/[-_]/g, "")
}

function shown(value: unknown): string {
  const text = JSON.stringify(value)
  return text.length > 100 ? `${text.slice(0, 100)}…` : text
}

/** What JSON can say of an object fits a plain record. */
function isRecord(value: unknown): value is PlainRecord {
  return typeof value === "object" && value !== null && !Array.isArray(value) && isPlain(value)
}

function isPlain(value: unknown): value is PlainValue {
  if (typeof value !== "object" || value === null) return value !== undefined
  return Object.values(value).every(isPlain)
}
