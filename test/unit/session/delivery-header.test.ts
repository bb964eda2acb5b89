/** Headers that a delivery adds: x-delivery-count and x-stream-offset, with and without a template. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { decodeProperties, encodeProperties } from "../../../src/amqp/properties.ts"
import type { BasicProperties } from "../../../src/amqp/properties.ts"
import { tableFromPlain, TypedNumber } from "../../../src/amqp/table.ts"
import {
  ADDED_DELIVERY_COUNT,
  ADDED_NONE,
  ADDED_STREAM_OFFSET,
  StoredMessage,
} from "../../../src/broker/message.ts"
import { DeliveryWriter, writeGetOk } from "../../../src/session/delivery-writer.ts"
import { Outbox, OutboxPool } from "../../../src/session/outbox.ts"
import { Chunk } from "../../../src/util/bytes.ts"
import { parseFrames } from "./session-harness.ts"
import { FakeTransport } from "./support.ts"

const ROUTE = Buffer.from("\u0000\u0001q")

/** `count` equal messages, one directly behind the other. */
function stored(properties: BasicProperties, bodySize: number, count = 1): StoredMessage {
  const bytes = encodeProperties(properties)
  const one = Buffer.concat([ROUTE, bytes, Buffer.alloc(bodySize, "b")])
  const message = new StoredMessage()
  message.chunk = new Chunk(Buffer.concat(Array.from({ length: count }, () => one)))
  message.routeEnd = message.propertiesStart = ROUTE.length
  message.propertiesEnd = message.bodyStart = ROUTE.length + bytes.length
  message.bodyEnd = one.length
  message.size = one.length
  return message
}

class Output {
  readonly transport = new FakeTransport()
  readonly outbox = new Outbox(this.transport, new OutboxPool(), () => {})

  /** Properties of each content, whose body must be all b. */
  take(bodySize: number): BasicProperties[] {
    this.outbox.flush(true)
    const list: BasicProperties[] = []
    let received = 0
    for (const { type, payload } of parseFrames(this.transport.takeSent())) {
      if (type === 2) list.push(decodeProperties(Buffer.from(payload.subarray(12))))
      if (type !== 3) continue
      received += payload.length
      assert.ok(payload.every((octet) => octet === 0x62))
    }
    this.transport.complete()
    assert.equal(received, list.length * bodySize)
    return list
  }
}

const long = (value: number): TypedNumber => new TypedNumber("l", BigInt(value))

test("a run of a stream counts its offsets up, whatever writes it", () => {
  for (const properties of [{}, { deliveryMode: 2 }, { contentType: "text/plain", appId: "x" }])
    for (const bodySize of [0, 16, 3000, 50_000]) {
      const output = new Output()
      const writer = new DeliveryWriter(1, 8192, "tag")
      let offset = 2 ** 32 - 30
      for (const count of [1, 20, 3, 60, 1]) {
        const message = stored(properties, bodySize, count)
        message.added = ADDED_STREAM_OFFSET
        message.addedValue = offset
        writer.write(output.outbox, 1, message, count)
        const expected = Array.from({ length: count }, (_, i) => ({
          ...properties,
          headers: new Map([["x-stream-offset", long(offset + i)]]),
        }))
        assert.deepEqual(output.take(bodySize), expected)
        offset += count
      }
    }
})

test("a delivery count is on the deliveries that have one and on no other", () => {
  const output = new Output()
  const writer = new DeliveryWriter(1, 8192, "tag")
  const headers = tableFromPlain({ a: "b", "x-delivery-count": "forged" })
  for (let i = 0; i < 100; i++) {
    const isCounted = i % 3 === 0
    const message = stored(i % 2 === 0 ? {} : { headers }, 5)
    message.added = isCounted ? ADDED_DELIVERY_COUNT : ADDED_NONE
    message.addedValue = i
    writer.write(output.outbox, i + 1, message)
    const [received] = output.take(5)
    const count = received?.headers?.get("x-delivery-count")
    if (isCounted) assert.deepEqual(count, long(i))
    else assert.equal(count, i % 2 === 0 ? undefined : "forged")
  }
})

test("basic.get-ok has it too", () => {
  const output = new Output()
  const message = stored({ messageId: "m" }, 40)
  message.added = ADDED_DELIVERY_COUNT
  message.addedValue = 7
  writeGetOk(output.outbox, 1, 8192, 1, 0, message)
  const headers = new Map([["x-delivery-count", long(7)]])
  assert.deepEqual(output.take(40), [{ messageId: "m", headers }])
})

test("where the header frame would pass frame-max, the message goes without", () => {
  const properties = { headers: tableFromPlain({ a: "x".repeat(4000) }) }
  for (const [frameMax, isAdded] of [
    [4059, true],
    [4058, false],
  ] as const) {
    const output = new Output()
    const message = stored(properties, 10)
    message.added = ADDED_DELIVERY_COUNT
    message.addedValue = 1
    new DeliveryWriter(1, frameMax, "tag").write(output.outbox, 1, message)
    const [received] = output.take(10)
    assert.equal(received?.headers?.has("x-delivery-count"), isAdded)
    assert.equal(received?.headers?.size, isAdded ? 2 : 1)
  }
})
