import assert from "node:assert/strict"
import { test } from "node:test"
import {
  EMPTY_TABLE,
  tableFromPlain,
  tableToPlain,
  toPlain,
  type Table,
} from "../../../../src/amqp/table.ts"
import {
  deathsOf,
  isCycle,
  recordDeath,
  routingKeysOf,
  type Death,
} from "../../../../src/broker/dead-letter/deaths.ts"

const death = (fields: Partial<Death> = {}): Death => ({
  reason: "rejected",
  queue: "q",
  exchange: "x",
  routingKeys: ["k"],
  timeSeconds: 1000,
  expiration: null,
  ...fields,
})

const plainDeaths = (headers: Table): unknown =>
  deathsOf(headers).map((entry) => Object.assign({}, tableToPlain(entry)))

test("a first death has count 1 and all that was known of the message", () => {
  const headers = recordDeath(EMPTY_TABLE, death({ reason: "expired", expiration: "50" }))
  assert.deepEqual(plainDeaths(headers), [
    {
      "original-expiration": "50",
      count: 1,
      reason: "expired",
      queue: "q",
      time: 1000,
      exchange: "x",
      "routing-keys": ["k"],
    },
  ])
  assert.equal(toPlain(headers.get("x-first-death-reason")!), "expired")
  assert.equal(toPlain(headers.get("x-first-death-queue")!), "q")
  assert.equal(toPlain(headers.get("x-first-death-exchange")!), "x")
})

test("a repeated death is counted and comes to the front, and keeps its first time and keys", () => {
  let headers: Table = recordDeath(EMPTY_TABLE, death())
  headers = recordDeath(headers, death({ queue: "other", reason: "expired", exchange: "y" }))
  headers = recordDeath(headers, death({ timeSeconds: 2000, routingKeys: ["later"] }))
  const [newest, oldest] = deathsOf(headers)
  assert.equal(deathsOf(headers).length, 2)
  assert.deepEqual(
    { ...tableToPlain(newest!) },
    {
      count: 2,
      reason: "rejected",
      queue: "q",
      time: 1000,
      exchange: "x",
      "routing-keys": ["k"],
    },
  )
  assert.equal(oldest!.get("queue"), "other")
  assert.equal(headers.get("x-first-death-queue"), "q")
  assert.equal(headers.get("x-last-death-queue"), "q")
})

test("the same queue with another reason is another death; first stays, last moves", () => {
  let headers: Table = recordDeath(EMPTY_TABLE, death())
  headers = recordDeath(headers, death({ reason: "maxlen", exchange: "z" }))
  assert.deepEqual(
    deathsOf(headers).map((entry) => entry.get("reason")),
    ["maxlen", "rejected"],
  )
  assert.equal(headers.get("x-first-death-reason"), "rejected")
  assert.equal(headers.get("x-last-death-reason"), "maxlen")
  assert.equal(headers.get("x-last-death-exchange"), "z")
})

test("headers of the application stay, and an x-death that makes no sense is replaced", () => {
  const before = tableFromPlain({ mine: 1, "x-death": "nonsense" })
  const headers = recordDeath(before, death())
  assert.equal(headers.get("mine"), before.get("mine"))
  assert.equal(deathsOf(headers).length, 1)
  const mixed = tableFromPlain({ "x-death": [1, { queue: "q", reason: "rejected", count: "no" }] })
  assert.equal(toPlain(deathsOf(recordDeath(mixed, death()))[0]!.get("count")!), 1)
})

test("the record does not grow without end", () => {
  let headers: Table = EMPTY_TABLE
  for (let i = 0; i < 600; i++) headers = recordDeath(headers, death({ queue: `q${String(i)}` }))
  const deaths = deathsOf(headers)
  assert.equal(deaths.length, 512)
  assert.equal(deaths[0]!.get("queue"), "q599")
})

const listOf = (...list: readonly (readonly [string, string])[]): Table[] =>
  list.map(([queue, reason]) => tableFromPlain({ queue, reason }))

test("a queue in which the message has died is a cycle, unless it was rejected since", () => {
  assert.equal(isCycle(listOf(["a", "expired"]), "a"), true)
  assert.equal(isCycle(listOf(["a", "expired"]), "b"), false)
  assert.equal(isCycle(listOf(["b", "maxlen"], ["a", "expired"]), "a"), true)
  assert.equal(isCycle(listOf(["b", "rejected"], ["a", "expired"]), "a"), false)
  assert.equal(isCycle(listOf(["a", "rejected"]), "a"), false)
  assert.equal(isCycle([], "a"), false)
})

test("the keys of a message are its routing key and those of CC", () => {
  assert.deepEqual(routingKeysOf("k", EMPTY_TABLE), ["k"])
  assert.deepEqual(routingKeysOf("k", tableFromPlain({ CC: ["a", "k", "b"] })), ["k", "a", "b"])
  assert.deepEqual(routingKeysOf("k", tableFromPlain({ CC: "a" })), ["k"])
})
