import { equalFieldValues, formatFieldType, type FieldValue, type Table } from "../../amqp/table.ts"
import { Refusal } from "../errors.ts"
import type { Destination } from "./destination.ts"
import { formatTerm } from "./table-key.ts"

/**
 * What a binding of a headers exchange asks of a message's headers. `x-match` says whether all
 * conditions must hold or any of them; a condition is a header and its value, or only its presence
 * if the value is void. Conditions whose name begins with `x-` count only with `…-with-x`.
 */
export interface HeaderCondition {
  readonly name: string
  /** Null asks for presence only. */
  readonly value: FieldValue
}

const MODES: ReadonlyMap<string, { isAny: boolean; withX: boolean }> = new Map([
  ["all", { isAny: false, withX: false }],
  ["any", { isAny: true, withX: false }],
  ["all-with-x", { isAny: false, withX: true }],
  ["any-with-x", { isAny: true, withX: true }],
])

export class HeaderRule {
  readonly destination: Destination
  readonly isAny: boolean
  readonly conditions: readonly HeaderCondition[]
  /** The conditions under which HeadersBindings keeps this rule. */
  anchors: readonly HeaderCondition[] = []

  /** Throws Refusal for an `x-match` that does not exist. */
  constructor(destination: Destination, args: Table) {
    const mode = readMode(args)
    const conditions: HeaderCondition[] = []
    for (const [name, value] of args) {
      if (name === "x-match" || (!mode.withX && name.startsWith("x-"))) continue
      conditions.push({ name, value })
    }
    this.destination = destination
    this.isAny = mode.isAny
    this.conditions = conditions
  }

  /** With no conditions: `all` matches everything, `any` nothing. */
  matches(headers: Table): boolean {
    for (const { name, value } of this.conditions) {
      const actual = headers.get(name)
      const holds = actual !== undefined && (value === null || equalFieldValues(value, actual))
      if (holds === this.isAny) return holds
    }
    return !this.isAny
  }
}

function readMode(args: Table): { isAny: boolean; withX: boolean } {
  const value = args.has("x-match") ? (args.get("x-match") ?? null) : "all"
  if (typeof value !== "string")
    throw new Refusal(
      "precondition-failed",
      `Invalid x-match field type ${formatFieldType(value)} (value ${formatTerm(value)}); expected longstr`,
    )
  const mode = MODES.get(value)
  if (mode === undefined)
    throw new Refusal(
      "precondition-failed",
      `Invalid x-match field value ${formatTerm(value)}; expected all, any, all-with-x, or any-with-x`,
    )
  return mode
}
