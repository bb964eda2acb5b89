/** What a file of definitions holds, told before it is imported. It checks the outline; the broker checks the rest. */
export interface DefinitionsSection {
  readonly name: string
  readonly count: number
  /** The first names, as examples. */
  readonly examples: readonly string[]
}

export interface DefinitionsPreview {
  /** Whose file, such as `RabbitMQ 4.1.0`. */
  readonly product: string
  /** A file of one vhost goes into a vhost that has to be chosen. */
  readonly isOneVhost: boolean
  readonly sections: readonly DefinitionsSection[]
  readonly unknownKeys: readonly string[]
}

const SECTIONS = [
  "users",
  "vhosts",
  "permissions",
  "topic_permissions",
  "global_parameters",
  "parameters",
  "policies",
  "exchanges",
  "queues",
  "bindings",
]

const OTHER_KEYS =
  /^(rabbit|rabbitmq|product|sluice|lavinmq|original|explanation|metadata|description|default_queue_type|\$schema)/
const EXAMPLES = 5

/** Throws an Error that says what is wrong with the text. */
export function previewDefinitions(text: string): DefinitionsPreview {
  const file = parse(text)
  const sections: DefinitionsSection[] = []
  for (const name of SECTIONS) {
    const rows = file[name]
    if (rows === undefined) continue
    if (!Array.isArray(rows)) throw new Error(`"${name}" must be an array.`)
    const list: readonly unknown[] = rows
    sections.push({ name, count: list.length, examples: list.slice(0, EXAMPLES).map(titleOf) })
  }
  if (sections.length === 0)
    throw new Error(`This is no file of definitions: it has none of ${SECTIONS.join(", ")}.`)
  const unknownKeys = Object.keys(file).filter(
    (key) => !SECTIONS.includes(key) && !OTHER_KEYS.test(key),
  )
  return {
    product: productOf(file),
    isOneVhost: file["rabbitmq_definition_format"] === "single_virtual_host",
    sections,
    unknownKeys,
  }
}

function parse(text: string): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(text.replace(/^\uFEFF/, ""))
  } catch (error) {
    throw new Error(`The file is not JSON: ${error instanceof Error ? error.message : ""}`, {
      cause: error,
    })
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new Error("The file must hold one JSON object.")
  return { ...value }
}

function productOf(file: Readonly<Record<string, unknown>>): string {
  const { product_name: name, product_version: version, rabbitmq_version: rabbitmq } = file
  if (typeof name === "string")
    return `${name} ${typeof version === "string" ? version : ""}`.trim()
  return typeof rabbitmq === "string" ? `RabbitMQ ${rabbitmq}` : "unknown origin"
}

function titleOf(row: unknown): string {
  if (typeof row !== "object" || row === null) return JSON.stringify(row)
  const fields: Readonly<Record<string, unknown>> = { ...row }
  const { name, user, source, destination, vhost } = fields
  if (typeof source === "string")
    return `${source === "" ? "(default)" : source} → ${String(destination)}`
  if (typeof name === "string") return name
  return `${typeof user === "string" ? user : "?"} on ${typeof vhost === "string" ? vhost : "?"}`
}
