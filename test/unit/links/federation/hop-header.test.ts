import assert from "node:assert/strict"
import { test } from "node:test"
import * as fc from "fast-check"
import { decodeProperties, encodeProperties } from "../../../../src/amqp/properties.ts"
import type { BasicProperties } from "../../../../src/amqp/properties.ts"
import { isArray, isTable, TypedNumber } from "../../../../src/amqp/table.ts"
import type { FieldValue, Table } from "../../../../src/amqp/table.ts"
import { Delivery } from "../../../../src/client/delivery.ts"
import { HopHeader } from "../../../../src/links/federation/hop-header.ts"
import { movedFrom } from "../../../../src/links/federation/queue-link.ts"
import { Chunk } from "../../../../src/util/bytes.ts"
import { chooseSeed } from "../../../support/seed.ts"

const HOP = { uri: "amqp://up", exchange: "x", clusterName: "a", vhost: "/" }
const seed = chooseSeed("hop header")

function deliveryOf(bytes: Buffer, redelivered = false, before = 3): Delivery {
  const delivery = new Delivery()
  delivery.chunk = new Chunk(Buffer.concat([Buffer.alloc(before, 0xff), bytes, Buffer.alloc(4)]))
  delivery.propertiesStart = before
  delivery.propertiesEnd = before + bytes.length
  delivery.redelivered = redelivered
  return delivery
}

function itemOf(redelivered: boolean): Table {
  return new Map<string, FieldValue>([
    ["uri", "amqp://up"],
    ["exchange", "x"],
    ["redelivered", redelivered],
    ["cluster-name", "a"],
    ["vhost", "/"],
  ])
}

/** As a program would do it that decodes everything. */
function expectedOf(
  properties: BasicProperties,
  redelivered: boolean,
  keeps: boolean,
): BasicProperties {
  const { userId, headers, ...others } = properties
  const received = headers?.get("x-received-from")
  const before = received !== undefined && isArray(received) ? received : []
  const result = new Map(headers ?? [])
  result.set("x-received-from", [itemOf(redelivered), ...before])
  return { ...others, headers: result, ...(keeps && userId !== undefined ? { userId } : {}) }
}

const text = fc.string({ maxLength: 20 })
const value = fc.oneof(
  text,
  fc.boolean(),
  fc.constant(null),
  fc.integer({ min: -1000, max: 1000 }).map((n) => new TypedNumber("I", n)),
  fc.array(text, { maxLength: 3 }),
)
const received = fc.oneof(
  fc.array(
    fc
      .record({ uri: text, exchange: text })
      .map((entry) => new Map<string, FieldValue>(Object.entries(entry))),
    { maxLength: 4 },
  ),
  value,
)
const headers = fc
  .tuple(
    fc.uniqueArray(fc.tuple(fc.string({ maxLength: 12 }), value), {
      maxLength: 5,
      selector: ([name]) => name,
    }),
    fc.option(received, { nil: undefined }),
    fc.nat(5),
  )
  .map(([entries, from, at]) => {
    const all: [string, FieldValue][] = entries.filter(([name]) => name !== "x-received-from")
    if (from !== undefined) all.splice(at, 0, ["x-received-from", from])
    return new Map<string, FieldValue>(all)
  })
const properties = fc.record(
  {
    contentType: text,
    contentEncoding: text,
    headers,
    deliveryMode: fc.constantFrom(1, 2),
    priority: fc.nat(9),
    correlationId: text,
    replyTo: text,
    expiration: text,
    messageId: text,
    timestamp: fc.bigInt({ min: 0n, max: 2n ** 40n }),
    type: text,
    userId: text,
    appId: text,
    clusterId: text,
  },
  { requiredKeys: [] },
)

test("the hop is put before all others, and everything else stays", () => {
  const keeping = new HopHeader(HOP, true)
  const dropping = new HopHeader(HOP, false)
  const property = fc.property(
    properties,
    fc.boolean(),
    fc.boolean(),
    (given, redelivered, keeps) => {
      const bytes = encodeProperties(given)
      const result = (keeps ? keeping : dropping).applyTo(deliveryOf(bytes, redelivered))
      assert.ok(result !== null)
      assert.deepEqual(
        decodeProperties(Buffer.from(result)),
        expectedOf(decodeProperties(bytes), redelivered, keeps),
      )
    },
  )
  fc.assert(property, { seed, numRuns: 2000 })
})

test("malformed properties are refused, at every length", () => {
  const hop = new HopHeader(HOP, false)
  const bytes = encodeProperties({
    contentType: "a/b",
    headers: new Map([["k", "v"]]),
    userId: "me",
  })
  for (let size = 0; size < bytes.length; size++)
    assert.equal(hop.applyTo(deliveryOf(bytes.subarray(0, size))), null)
})

test("a message may pass unless it was here or has come too far", () => {
  const hop = new HopHeader(HOP, false)
  const seen = (...names: readonly string[]): Delivery =>
    deliveryOf(
      encodeProperties({
        headers: new Map<string, FieldValue>([
          [
            "x-received-from",
            names.map(
              (name) =>
                new Map([
                  ["cluster-name", name],
                  ["vhost", "/"],
                ]),
            ),
          ],
        ]),
      }),
    )
  assert.equal(hop.mayPass(deliveryOf(encodeProperties({})), 1, "me", "/"), true)
  assert.equal(hop.mayPass(seen(), 1, "me", "/"), true)
  assert.equal(hop.mayPass(seen("a"), 1, "me", "/"), false)
  assert.equal(hop.mayPass(seen("a"), 2, "me", "/"), true)
  assert.equal(hop.mayPass(seen("a", "me"), 9, "me", "/"), false)
  assert.equal(hop.mayPass(seen("a", "me"), 9, "me", "other"), true)
})

function entriesOf(table: Table): Table[] {
  const entries = table.get("x-received-from")
  assert.ok(entries !== undefined && isArray(entries))
  return entries.filter(isTable)
}

function visitCountOf(entry: Table): number | bigint {
  const count = entry.get("visit-count")
  assert.ok(count instanceof TypedNumber)
  return count.value
}

test("headers of a moved message: origin once, visits counted, whatever stands there", () => {
  const from = { uri: "amqp://up", queue: "q" }
  const delivery = { exchange: "e", routingKey: "k", redelivered: true }
  const first = movedFrom(from, delivery, new Map<string, FieldValue>([["CC", ["z"]]]))
  assert.deepEqual(
    [...first.keys()],
    ["x-original-cc", "x-original-exchange", "x-original-routing-key", "x-received-from"],
  )
  const other = movedFrom({ uri: "amqp://other", queue: "q" }, { ...delivery, exchange: "" }, first)
  const again = movedFrom(from, delivery, other)
  assert.equal(again.get("x-original-exchange"), "e")
  const entries = entriesOf(again)
  assert.deepEqual(
    entries.map((entry) => [entry.get("uri"), visitCountOf(entry)]),
    [
      ["amqp://up", 2n],
      ["amqp://other", 1n],
    ],
  )
  for (const bad of [new TypedNumber("d", 1.5), new TypedNumber("l", 2n ** 63n - 1n), "x", null]) {
    const entry = new Map<string, FieldValue>([
      ["uri", "amqp://up"],
      ["queue", "q"],
      ["visit-count", bad],
    ])
    const moved = movedFrom(
      from,
      delivery,
      new Map<string, FieldValue>([["x-received-from", [entry]]]),
    )
    assert.equal(visitCountOf(entriesOf(moved)[0]!), 1n)
  }
})
