import assert from "node:assert/strict"
import { test } from "node:test"
import { encodeProperties } from "../../../src/amqp/properties.ts"
import {
  EMPTY_TABLE,
  tableFromPlain,
  Timestamp,
  TypedNumber,
  type FieldValue,
  type PlainRecord,
  type Table,
} from "../../../src/amqp/table.ts"
import { Deduplication } from "../../../src/broker/deduplication.ts"
import type { DeduplicationSettings } from "../../../src/broker/settings.ts"
import { IncomingMessage } from "../../../src/storage/message.ts"
import { Chunk } from "../../../src/util/bytes.ts"

const HEADER = "x-deduplication-header"
const SETTINGS: DeduplicationSettings = { cacheSize: 128, ttlMs: null, header: HEADER }

function messageWith(headers: Table | PlainRecord | null): IncomingMessage {
  const message = new IncomingMessage()
  const table =
    headers === null || headers instanceof Map ? headers : tableFromPlain(plain(headers))
  const bytes = encodeProperties(table === null ? { deliveryMode: 2 } : { headers: table })
  message.properties = new Chunk(Buffer.concat([Buffer.alloc(3), bytes]))
  message.propertiesStart = 3
  message.propertiesEnd = 3 + bytes.length
  return message
}

function plain(headers: Table | PlainRecord): PlainRecord {
  assert.ok(!(headers instanceof Map))
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a table is a Map
  return headers as PlainRecord
}

function keyed(key: FieldValue): IncomingMessage {
  return messageWith(new Map([[HEADER, key]]))
}

test("the second message with a key is a duplicate, and counted", () => {
  const deduplication = new Deduplication(SETTINGS)
  assert.equal(deduplication.isDuplicate(keyed("a"), 0), false)
  assert.equal(deduplication.isDuplicate(keyed("b"), 0), false)
  assert.equal(deduplication.isDuplicate(keyed("a"), 5), true)
  assert.equal(deduplication.isDuplicate(keyed("a"), 1e12), true)
  assert.equal(deduplication.droppedCount, 2)
})

test("a message without the header is never a duplicate", () => {
  const deduplication = new Deduplication(SETTINGS)
  for (const headers of [null, EMPTY_TABLE, { other: "a" }, { [HEADER]: null }])
    for (let i = 0; i < 2; i++)
      assert.equal(deduplication.isDuplicate(messageWith(headers), 0), false)
  assert.equal(deduplication.size, 0)
})

test("a key has any type; numbers are equal by value, and no number equals a string", () => {
  const deduplication = new Deduplication(SETTINGS)
  const keys: FieldValue[] = [
    "1",
    new TypedNumber("I", 1),
    new TypedNumber("d", 1.5),
    true,
    false,
    new Timestamp(7n),
    Buffer.from([0xff, 0xfe]),
    "x".repeat(5000),
    ["1"],
  ]
  for (const key of keys) assert.equal(deduplication.isDuplicate(keyed(key), 0), false)
  for (const key of keys) assert.equal(deduplication.isDuplicate(keyed(key), 0), true)
  assert.equal(deduplication.isDuplicate(keyed(new TypedNumber("l", 1n)), 0), true)
  assert.equal(deduplication.isDuplicate(keyed("x".repeat(4999)), 0), false)
})

test("the header may have another name", () => {
  const deduplication = new Deduplication({ ...SETTINGS, header: "message-key" })
  assert.equal(deduplication.isDuplicate(messageWith({ "message-key": 1 }), 0), false)
  assert.equal(deduplication.isDuplicate(messageWith({ "message-key": 1 }), 0), true)
  assert.equal(deduplication.isDuplicate(keyed("a"), 0), false)
  assert.equal(deduplication.isDuplicate(keyed("a"), 0), false)
})

test("the oldest entry leaves when there are as many as may be", () => {
  const deduplication = new Deduplication({ ...SETTINGS, cacheSize: 2 })
  for (const key of ["a", "b", "c"]) deduplication.isDuplicate(keyed(key), 0)
  assert.equal(deduplication.size, 2)
  assert.equal(deduplication.isDuplicate(keyed("c"), 0), true)
  assert.equal(deduplication.isDuplicate(keyed("b"), 0), true)
  assert.equal(deduplication.isDuplicate(keyed("a"), 0), false)
  assert.equal(deduplication.isDuplicate(keyed("b"), 0), false, "a has pushed it out")
  const none = new Deduplication({ ...SETTINGS, cacheSize: 0 })
  for (let i = 0; i < 2; i++) assert.equal(none.isDuplicate(keyed("a"), 0), false)
})

test("an entry lives as long as the settings say, or as its message says", () => {
  const deduplication = new Deduplication({ ...SETTINGS, ttlMs: 100 })
  deduplication.isDuplicate(keyed("a"), 1000)
  deduplication.isDuplicate(messageWith({ [HEADER]: "b", "x-cache-ttl": 500 }), 1000)
  deduplication.isDuplicate(messageWith({ [HEADER]: "c", "x-cache-ttl": "500" }), 1000)
  for (const key of ["a", "b", "c"]) assert.equal(deduplication.isDuplicate(keyed(key), 1099), true)
  assert.equal(deduplication.isDuplicate(keyed("a"), 1100), false)
  assert.equal(deduplication.isDuplicate(keyed("b"), 1100), true)
  assert.equal(deduplication.isDuplicate(keyed("c"), 1100), false, "no integer: the default")
  assert.equal(deduplication.isDuplicate(keyed("a"), 1199), true, "a duplicate prolongs nothing")
  assert.equal(deduplication.isDuplicate(keyed("a"), 1200), false)
  assert.equal(deduplication.isDuplicate(keyed("b"), 1499), true)
  assert.equal(deduplication.isDuplicate(keyed("b"), 1500), false)
})

test("what has expired gives its place back before anything else does", () => {
  const deduplication = new Deduplication({ ...SETTINGS, ttlMs: 100 })
  for (let i = 0; i < 100; i++) deduplication.isDuplicate(keyed(`k${i}`), 0)
  assert.equal(deduplication.size, 100)
  deduplication.isDuplicate(keyed("new"), 100)
  assert.equal(deduplication.size, 1)
})

test("a message that was refused after all may come again", () => {
  const deduplication = new Deduplication(SETTINGS)
  deduplication.isDuplicate(keyed("a"), 0)
  deduplication.isDuplicate(keyed("b"), 0)
  deduplication.forgetLast()
  deduplication.forgetLast()
  assert.equal(deduplication.isDuplicate(keyed("b"), 0), false)
  assert.equal(deduplication.isDuplicate(keyed("a"), 0), true)
  deduplication.forgetLast()
  assert.equal(
    deduplication.isDuplicate(keyed("a"), 0),
    true,
    "a duplicate was not remembered anew",
  )
})

test("new settings keep what is remembered, unless they name another header", () => {
  const deduplication = new Deduplication(SETTINGS)
  for (const key of ["a", "b", "c"]) deduplication.isDuplicate(keyed(key), 0)
  deduplication.configure({ ...SETTINGS, cacheSize: 2 })
  assert.equal(deduplication.size, 2)
  assert.equal(deduplication.isDuplicate(keyed("c"), 0), true)
  deduplication.configure({ ...SETTINGS, header: "other" })
  assert.equal(deduplication.size, 0)
})

test("a hundred thousand entries come and go in constant time each", () => {
  const cacheSize = 100_000
  const deduplication = new Deduplication({ ...SETTINGS, cacheSize })
  for (let i = 0; i < 3 * cacheSize; i++) deduplication.isDuplicate(keyed(String(i)), 0)
  assert.equal(deduplication.size, cacheSize)
  assert.equal(deduplication.isDuplicate(keyed(String(2 * cacheSize)), 0), true)
  assert.equal(deduplication.isDuplicate(keyed(String(2 * cacheSize - 1)), 0), false)
})
