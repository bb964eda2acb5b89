import type { Static as StaticOf, TSchema as AnySchema, Type as TypeBox } from "typebox"

/**
 * JSON schemas of the route table, and the check of what a client sends against them. Types and shape are
 * TypeBox's, so that handlers know what they get and tests can check with TypeBox itself; its code is not
 * loaded, because that costs 200 ms of every start and 27 MB. Holds the keywords that the table uses, no others.
 */
export type { Static, TObject, TProperties, TSchema } from "typebox"

type Names =
  | "Array"
  | "Boolean"
  | "Integer"
  | "Intersect"
  | "Null"
  | "Number"
  | "Object"
  | "Optional"
  | "Record"
  | "String"
  | "Union"
  | "Unknown"

/** A schema as it goes into the OpenAPI document. */
interface Schema {
  readonly type?: string
  readonly enum?: readonly unknown[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly patternProperties?: Readonly<Record<string, Schema>>
  readonly items?: Schema
  readonly minItems?: number
  readonly maxItems?: number
  readonly anyOf?: readonly Schema[]
  readonly allOf?: readonly Schema[]
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly maxLength?: number
}

/** TypeBox's mark of a property that may be absent; not part of the JSON. */
const OPTIONAL = "~optional"

type Options = Readonly<Record<string, unknown>>

function typed(type: string): (options?: Options) => Schema {
  return (options) => ({ type, ...options })
}

const BUILDER = {
  Boolean: typed("boolean"),
  Integer: typed("integer"),
  Null: typed("null"),
  Number: typed("number"),
  String: typed("string"),
  Unknown: (options?: Options): Schema => ({ ...options }),
  Array: (items: Schema, options?: Options): Schema => ({ type: "array", items, ...options }),
  Union: (anyOf: readonly Schema[], options?: Options): Schema => ({ anyOf, ...options }),
  Intersect: (allOf: readonly Schema[], options?: Options): Schema => ({ allOf, ...options }),
  Record: (_key: Schema, value: Schema, options?: Options): Schema => ({
    type: "object",
    patternProperties: { "^.*$": value },
    ...options,
  }),
  Object(properties: Readonly<Record<string, Schema>>, options?: Options): Schema {
    const required = Object.keys(properties).filter((key) => !isOptional(properties[key]))
    return { type: "object", ...(required.length > 0 && { required }), properties, ...options }
  },
  Optional: (schema: Schema): Schema =>
    Object.defineProperty({ ...schema }, OPTIONAL, { value: true, enumerable: false }),
}

function isOptional(schema: Schema | undefined): boolean {
  return schema !== undefined && Object.hasOwn(schema, OPTIONAL)
}

/** The functions of TypeBox that the table uses. */
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The same JSON, made with less code.
export const Type = BUILDER as unknown as Pick<typeof TypeBox, Names>

/** Which field of a value does not fit its schema, and why. */
export class SchemaMismatch extends Error {
  override readonly name = "SchemaMismatch"
  /** `arguments.x-max-length`; "" is the whole value. */
  readonly field: string

  constructor(path: readonly string[], reason: string) {
    const field = path.join(".")
    super(field === "" ? `it ${reason}` : `field '${field}' ${reason}`)
    this.field = field
  }
}

/**
 * The value as the schema has it, with the loose types that RabbitMQ takes: "true" for true, "5" for 5
 * and the reverse. Throws SchemaMismatch. Properties that the schema does not know are kept.
 */
export function fit<const T extends AnySchema>(schema: T, value: unknown): StaticOf<T> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Checked against the schema of that type.
  return fitted(schema, value, []) as StaticOf<T>
}

function fitted(schema: Schema, value: unknown, path: string[]): unknown {
  if (schema.anyOf !== undefined) return fittedAny(schema.anyOf, value, path)
  switch (schema.type) {
    case "object":
      return fittedObject(schema, value, path)
    case "array":
      return fittedArray(schema, value, path)
    case "string":
      return fittedText(schema, value, path)
    case "integer":
    case "number":
      return fittedNumber(schema, value, path)
    case "boolean":
      return fittedBoolean(value, path)
    case "null":
      if (value !== null) throw new SchemaMismatch(path, "must be null")
      return value
    case undefined:
    default:
      return value
  }
}

/** What fits as it is comes before what fits with another type. */
function fittedAny(alternatives: readonly Schema[], value: unknown, path: string[]): unknown {
  const type = value === null ? "null" : Array.isArray(value) ? "array" : typeof value
  const sameType = alternatives.filter((one) => one.type === type)
  const depth = path.length
  let mismatch = new SchemaMismatch(path, "is not valid")
  for (const alternative of [...sameType, ...alternatives]) {
    try {
      return fitted(alternative, value, path)
    } catch (error) {
      if (!(error instanceof SchemaMismatch)) throw error
      path.length = depth
      mismatch = error
    }
  }
  throw sameType.length > 0 || alternatives.length === 0
    ? mismatch
    : new SchemaMismatch(path, `must be ${alternatives.map(({ type: word }) => word).join(" or ")}`)
}

/** A property that may be absent may be null instead; an empty array is what PHP makes of an empty table. */
function fittedObject(schema: Schema, value: unknown, path: string[]): unknown {
  if (Array.isArray(value) && value.length === 0) return fittedObject(schema, {}, path)
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new SchemaMismatch(path, "must be an object")
  for (const key of schema.required ?? [])
    if (!Object.hasOwn(value, key)) throw new SchemaMismatch([...path, key], "is required")
  const any = schema.patternProperties?.["^.*$"]
  let copy: Record<string, unknown> | null = null
  for (const [key, field] of Object.entries(value)) {
    const known = schema.properties
    const inner = known !== undefined && Object.hasOwn(known, key) ? known[key] : any
    if (inner === undefined) continue
    if (field === null && isOptional(inner) && !takesNull(inner)) {
      const changing: Record<string, unknown> = copy ?? { __proto__: null, ...value }
      Reflect.deleteProperty(changing, key)
      copy = changing
      continue
    }
    path.push(key)
    const changed = fitted(inner, field, path)
    path.pop()
    if (changed === field) continue
    const changing: Record<string, unknown> = copy ?? { __proto__: null, ...value }
    changing[key] = changed
    copy = changing
  }
  return copy ?? value
}

function takesNull({ type, anyOf }: Schema): boolean {
  if (anyOf !== undefined) return anyOf.some(takesNull)
  return type === undefined || type === "null"
}

function fittedArray(schema: Schema, value: unknown, path: string[]): unknown {
  if (!Array.isArray(value)) throw new SchemaMismatch(path, "must be an array")
  const { items = {}, minItems = 0, maxItems = Infinity } = schema
  if (value.length < minItems) throw new SchemaMismatch(path, `must have ${minItems} elements`)
  if (value.length > maxItems)
    throw new SchemaMismatch(path, `must not have more than ${maxItems} elements`)
  return value.map((item: unknown, index) => fitted(items, item, [...path, String(index)]))
}

function fittedText(schema: Schema, value: unknown, path: string[]): string {
  const text = typeof value === "number" || typeof value === "boolean" ? String(value) : value
  if (typeof text !== "string") throw new SchemaMismatch(path, "must be a string")
  const { minLength = 0, maxLength = Infinity } = schema
  if (text.length < minLength) throw new SchemaMismatch(path, `must have ${minLength} characters`)
  if (text.length > maxLength)
    throw new SchemaMismatch(path, `must not have more than ${maxLength} characters`)
  if (schema.enum !== undefined && !schema.enum.includes(text))
    throw new SchemaMismatch(path, `must be one of ${schema.enum.join(", ")}`)
  return text
}

function fittedNumber(schema: Schema, value: unknown, path: string[]): number {
  const number =
    typeof value === "string" && /^-?\d+(?:\.\d+)?$/.test(value) ? Number(value) : value
  const isInteger = schema.type === "integer"
  if (typeof number !== "number" || !(isInteger ? Number.isInteger(number) : true))
    throw new SchemaMismatch(path, isInteger ? "must be an integer" : "must be a number")
  const { minimum = -Infinity, maximum = Infinity } = schema
  if (number < minimum) throw new SchemaMismatch(path, `must not be less than ${minimum}`)
  if (number > maximum) throw new SchemaMismatch(path, `must not be more than ${maximum}`)
  return number
}

function fittedBoolean(value: unknown, path: string[]): boolean {
  if (value === true || value === "true" || value === 1 || value === "1") return true
  if (value === false || value === "false" || value === 0 || value === "0") return false
  throw new SchemaMismatch(path, "must be true or false")
}
