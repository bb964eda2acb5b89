/**
 * import(export(x)) = x for random definitions with odd names: what is imported is exported as it came,
 * the export makes the same broker elsewhere, and importing it again changes nothing.
 */
import assert from "node:assert/strict"
import { test } from "node:test"
import * as fc from "fast-check"
import { startBroker } from "../../src/server/start-broker.ts"
import type { RunningBroker } from "../../src/server/start-broker.ts"

const RUNS = 200
/** Also of the search for a smaller counterexample. */
const TIME_LIMIT_MS = 60_000
const ODD = [
  "a/b",
  " ",
  "%2F",
  "+",
  "ä",
  "😀",
  "x".repeat(200),
  "__proto__",
  "constructor",
  '"',
  "~",
]

const name = fc
  .oneof(fc.constantFrom(...ODD), fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 }))
  .filter((text) => !/[\r\n\0:]/.test(text) && !text.startsWith("amq."))
const pattern = fc.constantFrom(".*", "", "^a", "^(x|y)$", "é+")
const scalar = fc.oneof(
  fc.boolean(),
  fc.integer(),
  fc.string({ unit: "grapheme", maxLength: 10 }),
  fc.constant(1.5),
)
const value = fc.oneof(
  scalar,
  fc.array(scalar, { maxLength: 3 }),
  fc.dictionary(fc.constantFrom("a", "b", "__proto__", "ä"), scalar, { maxKeys: 3 }),
)
const args = fc.dictionary(
  fc.string({ unit: "grapheme", maxLength: 8 }).map((text) => `k${text}`),
  value,
  { maxKeys: 3 },
)
const queueArguments = fc.oneof(
  args,
  fc.record({ "x-max-length": fc.nat(1000), "x-overflow": fc.constant("reject-publish") }),
  fc.record({ "x-message-ttl": fc.nat(1000), "x-dead-letter-exchange": name }),
)
const limits = fc.record(
  { "max-connections": fc.nat(100), "max-queues": fc.integer({ min: 100, max: 1000 }) },
  { requiredKeys: [] },
)
const definition = fc.oneof(
  fc.record({ "max-length": fc.nat(1000) }),
  fc.record({
    "message-ttl": fc.nat(1000),
    expires: fc.integer({ min: 3_600_000, max: 7_200_000 }),
  }),
)
const policyFields = {
  pattern,
  definition,
  priority: fc.integer({ min: -5, max: 5 }),
  "apply-to": fc.constantFrom("all", "queues", "exchanges"),
}

type Entry = Readonly<Record<string, unknown>>
type File = Readonly<Record<string, readonly Entry[]>>

const unique = <T extends { readonly name: string }>(entry: fc.Arbitrary<T>, max: number) =>
  fc.uniqueArray(entry, { selector: ({ name: key }) => key, maxLength: max })

/** Everything inside one vhost; the rest is put together below. */
const vhostContent = fc.record({
  description: fc.string({ unit: "grapheme", maxLength: 10 }),
  tags: fc.uniqueArray(fc.constantFrom("a", "b", "c")),
  limits,
  exchanges: unique(
    fc.record({
      name,
      type: fc.constantFrom("direct", "fanout", "topic", "headers"),
      durable: fc.boolean(),
      auto_delete: fc.boolean(),
      internal: fc.boolean(),
      arguments: args,
    }),
    4,
  ),
  queues: unique(
    fc.record({
      name,
      durable: fc.constant(true),
      auto_delete: fc.boolean(),
      arguments: queueArguments,
    }),
    4,
  ),
  bindings: fc.array(fc.record({ from: fc.nat(9), to: fc.nat(9), key: name, arguments: args }), {
    maxLength: 4,
  }),
  policies: unique(fc.record({ name, ...policyFields }), 3),
  operators: unique(fc.record({ name, ...policyFields, "apply-to": fc.constant("queues") }), 2),
  parameters: unique(fc.record({ name, component: fc.constantFrom("c", "d"), value }), 3),
})

const definitions = fc
  .record({
    vhosts: unique(fc.record({ name, content: vhostContent }), 3),
    users: unique(
      fc.record({
        name,
        tags: fc.uniqueArray(fc.constantFrom("administrator", "monitoring", "policymaker")),
        limits: fc.record({ "max-channels": fc.nat(50) }, { requiredKeys: [] }),
      }),
      3,
    ),
    permission: fc.record({ configure: pattern, write: pattern, read: pattern }),
    topic: fc.record({ exchange: name, write: pattern, read: pattern }),
    globals: unique(fc.record({ name, value }), 3),
  })
  .map(toFile)

const PASSWORD = {
  password_hash: "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR",
  hashing_algorithm: "rabbit_password_hashing_sha256",
}

function toFile(parts: {
  vhosts: { name: string; content: ContentOf }[]
  users: Entry[]
  permission: Entry
  topic: Entry
  globals: Entry[]
}): File {
  const { vhosts, users, permission, topic, globals } = parts
  const inEach = (make: (vhost: string, content: ContentOf) => Entry[]): Entry[] =>
    vhosts.flatMap(({ name: vhost, content }) => make(vhost, content))
  const pairs = users.flatMap(({ name: user }) =>
    vhosts.map(({ name: vhost }) => ({ user, vhost })),
  )
  return {
    users: users.map((user) => Object.assign({}, user, PASSWORD)),
    vhosts: vhosts.map(({ name: vhost, content: { description, tags } }) => ({
      name: vhost,
      description,
      tags,
      metadata: { description, tags },
    })),
    permissions: pairs.map((pair) => Object.assign({}, pair, permission)),
    topic_permissions: pairs.map((pair) => Object.assign({}, pair, topic)),
    global_parameters: globals,
    parameters: inEach((vhost, content) => [
      ...content.parameters.map((parameter) => ({ ...parameter, vhost })),
      ...content.operators.map(({ name: operator, ...fields }) => ({
        component: "operator_policy",
        name: operator,
        vhost,
        value: fields,
      })),
      ...(Object.keys(content.limits).length === 0
        ? []
        : [{ component: "vhost-limits", name: "limits", vhost, value: content.limits }]),
    ]),
    policies: inEach((vhost, { policies }) => policies.map((policy) => ({ ...policy, vhost }))),
    exchanges: inEach((vhost, { exchanges }) => exchanges.map((one) => ({ ...one, vhost }))),
    queues: inEach((vhost, { queues }) => queues.map((queue) => ({ ...queue, vhost }))),
    bindings: inEach(bindingsIn),
  }
}

interface ContentOf {
  readonly description: string
  readonly tags: readonly string[]
  readonly limits: Entry
  readonly exchanges: readonly Entry[]
  readonly queues: readonly Entry[]
  readonly bindings: readonly { from: number; to: number; key: string; arguments: Entry }[]
  readonly policies: readonly Entry[]
  readonly operators: readonly Entry[]
  readonly parameters: readonly Entry[]
}

/** Between things that are there, each once. */
function bindingsIn(vhost: string, { exchanges, queues, bindings }: ContentOf): Entry[] {
  const found = new Map<string, Entry>()
  for (const { from, to, key, arguments: more } of bindings) {
    const source = exchanges[from % Math.max(1, exchanges.length)]
    const isQueue = to % 2 === 0
    const targets = isQueue ? queues : exchanges
    const target = targets[to % Math.max(1, targets.length)]
    if (source === undefined || target === undefined) continue
    if (source["type"] === "headers" || target === source) continue
    const binding = {
      source: source["name"],
      vhost,
      destination: target["name"],
      destination_type: isQueue ? "queue" : "exchange",
      routing_key: key,
      arguments: more,
    }
    found.set(sortable({ ...binding, arguments: null }), binding)
  }
  return [...found.values()]
}

/** The order of entries and fields says nothing. */
function sortable(entry: unknown): string {
  return JSON.stringify(entry, (_key, field: unknown) =>
    typeof field === "object" && field !== null && !Array.isArray(field)
      ? Object.entries(field).toSorted(([a], [b]) => (a < b ? -1 : 1))
      : field,
  )
}

function sorted(file: File): Record<string, string[]> {
  const result: Record<string, string[]> = {}
  for (const [key, entries] of Object.entries(file))
    if (Array.isArray(entries)) result[key] = entries.map(sortable).toSorted()
  return result
}

async function withBroker<T>(use: (broker: RunningBroker) => Promise<T>): Promise<T> {
  const broker = await startBroker({ amqp: { port: 0 }, http: { port: 0 } })
  try {
    await broker.administration.deleteVhost("/")
    return await use(broker)
  } finally {
    await broker.close()
  }
}

const authorization = `Basic ${btoa("guest:guest")}`

async function post(broker: RunningBroker, file: File): Promise<void> {
  const response = await broker.http?.app.request("/api/definitions", {
    method: "POST",
    headers: { authorization, "content-type": "application/json" },
    body: JSON.stringify(file),
  })
  assert.equal(response?.status, 204, (await response?.text()) ?? "")
}

async function get(broker: RunningBroker): Promise<File> {
  const response = await broker.http?.app.request("/api/definitions", {
    headers: { authorization },
  })
  const file: Record<string, Entry[]> = JSON.parse((await response?.text()) ?? "")
  // The one that asks is in every broker.
  const users = (file["users"] ?? []).filter((user) => user["name"] !== "guest")
  return { ...file, users }
}

test("what is imported is exported as it came, and makes the same broker elsewhere", async () => {
  const seed = process.env["SEED"]
  await fc.assert(
    fc.asyncProperty(definitions, async (given) => {
      const exported = await withBroker(async (broker) => {
        await post(broker, given)
        const first = await get(broker)
        assert.deepEqual({ ...sorted(first), ...sorted(given) }, sorted(first))
        await post(broker, first)
        assert.deepEqual(sorted(await get(broker)), sorted(first), "imported twice")
        return first
      })
      await withBroker(async (broker) => {
        await post(broker, exported)
        assert.deepEqual(sorted(await get(broker)), sorted(exported), "in another broker")
      })
    }),
    {
      numRuns: RUNS,
      interruptAfterTimeLimit: TIME_LIMIT_MS,
      ...(seed !== undefined && { seed: Number(seed) }),
    },
  )
})
