/** The copy that a dead message becomes: the short way gives the same bytes as the long one. */
import assert from "node:assert/strict"
import { test } from "node:test"
import * as fc from "fast-check"
import {
  decodeProperties,
  encodeProperties,
  type BasicProperties,
} from "../../../../src/amqp/properties.ts"
import { EMPTY_TABLE, tableFromPlain, type Table } from "../../../../src/amqp/table.ts"
import { DeadLetterCopy } from "../../../../src/broker/dead-letter/dead-letter-copy.ts"
import { deathsOf, recordDeath } from "../../../../src/broker/dead-letter/deaths.ts"
import { IncomingMessage } from "../../../../src/storage/message.ts"
import { Chunk } from "../../../../src/util/bytes.ts"
import { ManualClock } from "../../../../src/util/clock.ts"
import { chooseSeed } from "../../../support/seed.ts"

const RUNS = { numRuns: 300, seed: chooseSeed("dead-letter-copy") | 0 } as const
const NOW_MS = 1_700_000_000_000
const ADDRESS = { queueName: "source", exchangeName: "dlx", routingKey: null }

function shortString(text: string): Buffer {
  return Buffer.concat([Buffer.of(Buffer.byteLength(text)), Buffer.from(text)])
}

/** With other bytes around, as in a store. */
function messageOf(
  exchange: string,
  key: string,
  properties: Buffer,
  body: Buffer,
): IncomingMessage {
  const route = Buffer.concat([shortString(exchange), shortString(key)])
  const chunk = new Chunk(
    Buffer.concat([Buffer.alloc(9, 0xff), route, properties, body, Buffer.alloc(9)]),
  )
  const message = new IncomingMessage()
  message.route = message.properties = message.body = chunk
  message.routeStart = 9
  message.routeEnd = message.propertiesStart = 9 + route.length
  message.propertiesEnd = message.bodyStart = message.propertiesStart + properties.length
  message.bodyEnd = message.bodyStart + body.length
  message.persistent = true
  message.expires = true
  return message
}

function shown(copy: DeadLetterCopy): { route: string; properties: BasicProperties; body: string } {
  const { message } = copy
  const { bytes } = message.route
  return {
    route: bytes.toString("latin1", message.routeStart, message.routeEnd),
    properties: decodeProperties(bytes, message.propertiesStart, message.propertiesEnd),
    body: bytes.toString("latin1", message.bodyStart, message.bodyEnd),
  }
}

const headers: fc.Arbitrary<Table> = fc
  .dictionary(fc.string({ maxLength: 5 }), fc.oneof(fc.string(), fc.integer(), fc.boolean()))
  .map((record) => tableFromPlain(record))

const properties: fc.Arbitrary<BasicProperties> = fc.record(
  {
    contentType: fc.string({ maxLength: 20 }),
    contentEncoding: fc.string({ maxLength: 5 }),
    headers,
    deliveryMode: fc.constantFrom(1, 2),
    priority: fc.nat(255),
    correlationId: fc.string({ maxLength: 20 }),
    replyTo: fc.string({ maxLength: 20 }),
    expiration: fc.nat(100_000).map(String),
    messageId: fc.string({ maxLength: 20 }),
    timestamp: fc.bigInt(0n, 2n ** 40n),
    type: fc.string({ maxLength: 5 }),
    userId: fc.string({ maxLength: 5 }),
    appId: fc.string({ maxLength: 5 }),
    clusterId: fc.string({ maxLength: 5 }),
  },
  { requiredKeys: [] },
)

test("the copy has everything that the message had, but for its expiration, and its death", () => {
  fc.assert(
    fc.property(properties, fc.uint8Array({ maxLength: 400 }), (before, body) => {
      const copy = new DeadLetterCopy(new ManualClock(NOW_MS))
      const encoded = Buffer.from(encodeProperties(before))
      copy.make(messageOf("x", "k", encoded, Buffer.from(body)), ADDRESS, "expired", null)
      const { expiration, headers: own, ...rest } = before
      const expected = recordDeath(own ?? EMPTY_TABLE, {
        reason: "expired",
        queue: "source",
        exchange: "x",
        routingKeys: ["k"],
        timeSeconds: NOW_MS / 1000,
        expiration: expiration ?? null,
      })
      const made = shown(copy)
      assert.equal(made.route, "\x03dlx\x01k")
      assert.equal(made.body, Buffer.from(body).toString("latin1"))
      assert.deepEqual(made.properties, { ...rest, headers: expected })
      assert.equal(copy.message.persistent, true)
      assert.equal(copy.message.expires, false)
      assert.equal(copy.message.timestampMs, NOW_MS)
    }),
    RUNS,
  )
})

test("a stamp gives the same copy as the long way, at any time", () => {
  const plain = properties.map((all) => {
    const { headers: _headers, ...rest } = all
    return rest
  })
  fc.assert(
    fc.property(plain, fc.nat(100_000), (before, laterMs) => {
      const encoded = Buffer.from(encodeProperties(before))
      const message = messageOf("x", "key", encoded, Buffer.from("body"))
      const clock = new ManualClock(NOW_MS)
      const stamped = new DeadLetterCopy(clock)
      const stamp = stamped.make(message, ADDRESS, "maxlen", null)
      assert.ok(stamp !== null)
      const other = messageOf("x", "key", encoded, Buffer.from("another body"))
      clock.advance(laterMs)
      const used = stamped.make(other, ADDRESS, "maxlen", stamp)
      assert.equal(used, stamp)
      const long = new DeadLetterCopy(clock)
      long.make(other, ADDRESS, "maxlen", null)
      assert.deepEqual(shown(stamped), shown(long))
      assert.deepEqual(stamped.routingKeys, long.routingKeys)
    }),
    RUNS,
  )
})

const of = (key: string, props: BasicProperties): IncomingMessage =>
  messageOf("x", key, Buffer.from(encodeProperties(props)), Buffer.alloc(0))

test("a stamp is for its reason, route and expiration, and for messages without headers", () => {
  const copy = new DeadLetterCopy(new ManualClock(NOW_MS))
  const stamp = copy.make(of("k", { expiration: "5" }), ADDRESS, "expired", null)
  assert.ok(stamp !== null)
  const isUsed = (message: IncomingMessage, reason: "expired" | "maxlen" = "expired"): boolean =>
    copy.make(message, ADDRESS, reason, stamp) === stamp
  assert.equal(isUsed(of("k", { expiration: "5", messageId: "1" })), true)
  assert.equal(isUsed(of("k", { expiration: "5" }), "maxlen"), false)
  assert.equal(isUsed(of("k", { expiration: "6" })), false)
  assert.equal(isUsed(of("k", {})), false)
  assert.equal(isUsed(of("other", { expiration: "5" })), false)
  assert.equal(isUsed(of("k", { expiration: "5", headers: EMPTY_TABLE })), false)
  assert.equal(copy.make(of("k", { headers: EMPTY_TABLE }), ADDRESS, "expired", null), null)
})

test("headers that cannot be read are given up, and the death is recorded all the same", () => {
  const bad = Buffer.from([0x20, 0, 0, 0, 0, 3, 1, 0xff, 0x56])
  const copy = new DeadLetterCopy(new ManualClock(NOW_MS))
  copy.make(messageOf("x", "k", bad, Buffer.from("b")), ADDRESS, "rejected", null)
  assert.equal(deathsOf(shown(copy).properties.headers!).length, 1)
})

test("a large message is copied whole, and its block given back", () => {
  const copy = new DeadLetterCopy(new ManualClock(NOW_MS))
  const body = Buffer.alloc(3 << 20, 7)
  copy.make(messageOf("x", "k", Buffer.from([0, 0]), body), ADDRESS, "rejected", null)
  assert.equal(copy.message.bodyEnd - copy.message.bodyStart, body.length)
  assert.ok(
    body.equals(copy.message.body.bytes.subarray(copy.message.bodyStart, copy.message.bodyEnd)),
  )
  copy.release()
})
