import { Type } from "./schema.ts"
import type { Static } from "./schema.ts"
import { fit, SchemaMismatch } from "./schema.ts"
import { badRequest } from "./errors.ts"
import { COUNT, OPTIONAL_TEXT, TABLE, TEXT } from "./rates-schema.ts"

/** The sections of a definitions file, as RabbitMQ and LavinMQ write them. What is not needed is optional. */

const TAGS = Type.Union([Type.Array(TEXT), TEXT])
const FLAG = Type.Optional(Type.Boolean({ default: false }))
const ENTRY_VHOST = Type.Optional(TEXT)

const LIMITS = Type.Optional(
  Type.Union([Type.Record(Type.String(), COUNT), Type.Array(Type.Unknown())]),
)

const USER = Type.Object({
  name: TEXT,
  password_hash: Type.Optional(OPTIONAL_TEXT),
  hashing_algorithm: Type.Optional(OPTIONAL_TEXT),
  tags: Type.Optional(TAGS),
  limits: LIMITS,
})

const VHOST = Type.Object({
  name: TEXT,
  limits: LIMITS,
  tracing: Type.Optional(Type.Boolean()),
  protected_from_deletion: Type.Optional(Type.Boolean()),
  description: Type.Optional(TEXT),
  tags: Type.Optional(TAGS),
  default_queue_type: Type.Optional(OPTIONAL_TEXT),
  metadata: Type.Optional(
    Type.Object({
      description: Type.Optional(TEXT),
      tags: Type.Optional(TAGS),
      default_queue_type: Type.Optional(OPTIONAL_TEXT),
      protected_from_deletion: Type.Optional(Type.Boolean()),
    }),
  ),
})

const PERMISSION = Type.Object({
  user: TEXT,
  vhost: TEXT,
  configure: TEXT,
  write: TEXT,
  read: TEXT,
})

const TOPIC_PERMISSION = Type.Object({
  user: TEXT,
  vhost: TEXT,
  exchange: TEXT,
  write: TEXT,
  read: TEXT,
})

const EXCHANGE = Type.Object({
  name: TEXT,
  vhost: ENTRY_VHOST,
  type: TEXT,
  durable: FLAG,
  auto_delete: FLAG,
  internal: FLAG,
  arguments: Type.Optional(TABLE),
})

const QUEUE = Type.Object({
  name: TEXT,
  vhost: ENTRY_VHOST,
  durable: FLAG,
  auto_delete: FLAG,
  arguments: Type.Optional(TABLE),
})

const BINDING = Type.Object({
  source: TEXT,
  vhost: ENTRY_VHOST,
  destination: TEXT,
  destination_type: Type.String({ enum: ["queue", "exchange"] }),
  routing_key: TEXT,
  arguments: Type.Optional(Type.Union([TABLE, Type.Null()])),
})

const POLICY = Type.Object({
  name: TEXT,
  vhost: ENTRY_VHOST,
  pattern: TEXT,
  definition: TABLE,
  priority: Type.Optional(Type.Integer()),
  "apply-to": Type.Optional(TEXT),
})

const PARAMETER = Type.Object({
  name: TEXT,
  vhost: ENTRY_VHOST,
  component: TEXT,
  value: Type.Unknown(),
})

const GLOBAL_PARAMETER = Type.Object({ name: TEXT, value: Type.Unknown() })

/** In the order in which they are imported: limits and policies before what they are to hold for. */
export const SECTIONS = {
  users: USER,
  vhosts: VHOST,
  permissions: PERMISSION,
  topic_permissions: TOPIC_PERMISSION,
  global_parameters: GLOBAL_PARAMETER,
  parameters: PARAMETER,
  policies: POLICY,
  exchanges: EXCHANGE,
  queues: QUEUE,
  bindings: BINDING,
} as const

export type SectionName = keyof typeof SECTIONS

export type Sections = { readonly [K in SectionName]: Static<(typeof SECTIONS)[K]>[] }

export const DEFINITIONS = Type.Object({
  users: Type.Optional(Type.Array(USER)),
  vhosts: Type.Optional(Type.Array(VHOST)),
  permissions: Type.Optional(Type.Array(PERMISSION)),
  topic_permissions: Type.Optional(Type.Array(TOPIC_PERMISSION)),
  global_parameters: Type.Optional(Type.Array(GLOBAL_PARAMETER)),
  parameters: Type.Optional(Type.Array(PARAMETER)),
  policies: Type.Optional(Type.Array(POLICY)),
  exchanges: Type.Optional(Type.Array(EXCHANGE)),
  queues: Type.Optional(Type.Array(QUEUE)),
  bindings: Type.Optional(Type.Array(BINDING)),
})

export function noSections(): Sections {
  return {
    users: [],
    vhosts: [],
    permissions: [],
    topic_permissions: [],
    global_parameters: [],
    parameters: [],
    policies: [],
    exchanges: [],
    queues: [],
    bindings: [],
  }
}

/** Adds the entry to its section; other keys are of no interest. Throws bad_request that names it. */
export function addEntry(sections: Sections, key: string, entry: unknown, index: number): void {
  if (!isSectionName(key)) return
  addTo(sections, key, entry, index)
}

function isSectionName(key: string): key is SectionName {
  return Object.hasOwn(SECTIONS, key)
}

function addTo<K extends SectionName>(
  sections: { readonly [N in K]: Static<(typeof SECTIONS)[N]>[] },
  key: K,
  entry: unknown,
  index: number,
): void {
  const schema: (typeof SECTIONS)[K] = SECTIONS[key]
  try {
    sections[key].push(fit(schema, entry))
  } catch (error) {
    if (error instanceof SchemaMismatch) throw badRequest(`${key}[${index}]: ${error.message}`)
    throw error
  }
}
