/** Deliveries, get-ok and returns byte for byte against an encoder that only concatenates. */
import assert from "node:assert/strict"
import { test } from "node:test"
import * as fc from "fast-check"
import { DeliveryWriter, writeGetOk, writeReturn } from "../../../src/session/delivery-writer.ts"
import { Outbox, OUTBOX_CHUNK_BYTES, OutboxPool } from "../../../src/session/outbox.ts"
import { IncomingMessage, StoredMessage } from "../../../src/storage/message.ts"
import { Chunk } from "../../../src/util/bytes.ts"
import { FakeTransport, RUNS } from "./support.ts"

interface Sample {
  readonly exchange: string
  readonly routingKey: string
  readonly properties: Buffer
  readonly bodySize: number
  readonly redelivered: boolean
}

const CHANNEL = 0x1234
const TAG = "consumer-é"

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(value))
  return bytes
}

function shortString(text: string): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([Buffer.from([bytes.length]), bytes])
}

function frame(type: number, ...parts: Buffer[]): Buffer {
  const payload = Buffer.concat(parts)
  const head = [Buffer.from([type]), u16(CHANNEL), u32(payload.length)]
  return Buffer.concat([...head, payload, Buffer.from([0xce])])
}

function bodyOf({ bodySize, routingKey }: Sample): Buffer {
  return Buffer.alloc(bodySize, `${routingKey}-body${bodySize}`)
}

function content(sample: Sample, frameMax: number): Buffer {
  const body = bodyOf(sample)
  const frames = [frame(2, u16(60), u16(0), u64(body.length), sample.properties)]
  for (let at = 0; at < body.length; at += frameMax - 8)
    frames.push(frame(3, body.subarray(at, at + frameMax - 8)))
  return Buffer.concat(frames)
}

function expectedDelivery(sample: Sample, deliveryTag: number, frameMax: number): Buffer {
  const method = frame(
    1,
    u16(60),
    u16(60),
    shortString(TAG),
    u64(deliveryTag),
    Buffer.from([sample.redelivered ? 1 : 0]),
    shortString(sample.exchange),
    shortString(sample.routingKey),
  )
  return Buffer.concat([method, content(sample, frameMax)])
}

/** As it lies in a store: other bytes around it. */
function stored(sample: Sample, padding: number): StoredMessage {
  const message = new StoredMessage()
  const route = Buffer.concat([shortString(sample.exchange), shortString(sample.routingKey)])
  message.chunk = new Chunk(
    Buffer.concat([Buffer.alloc(padding, 0xaa), route, sample.properties, bodyOf(sample)]),
  )
  message.routeStart = padding
  message.routeEnd = message.propertiesStart = padding + route.length
  message.propertiesEnd = message.bodyStart = message.routeEnd + sample.properties.length
  message.bodyEnd = message.bodyStart + sample.bodySize
  message.redelivered = sample.redelivered
  return message
}

class Output {
  readonly transport = new FakeTransport()
  readonly outbox = new Outbox(this.transport, new OutboxPool(), () => {})

  take(): Buffer {
    this.outbox.flush(true)
    const bytes = this.transport.takeSent()
    this.transport.complete()
    return bytes
  }
}

function assertSame(actual: Buffer, expected: Buffer, what: string): void {
  if (actual.equals(expected)) return
  const length = Math.min(actual.length, expected.length)
  let at = 0
  while (at < length && actual[at] === expected[at]) at++
  assert.fail(`${what}: ${actual.length} and ${expected.length} bytes differ at ${at}`)
}

const NO_PROPERTIES = Buffer.from([0, 0])
const PERSISTENT = Buffer.from([0x10, 0, 2])

const samples: fc.Arbitrary<Sample> = fc.record({
  exchange: fc.constantFrom("", "amq.topic", "x".repeat(255)),
  routingKey: fc.constantFrom("", "q", "some.key.1", "some.key.2", "k".repeat(255)),
  properties: fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(NO_PROPERTIES, PERSISTENT) },
    {
      weight: 1,
      arbitrary: fc
        .uint8Array({ minLength: 2, maxLength: 3000 })
        .map((bytes) => Buffer.from(bytes)),
    },
  ),
  bodySize: fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(0, 1, 16, 1024) },
    { weight: 3, arbitrary: fc.integer({ min: 0, max: 5000 }) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 300_000 }) },
  ),
  redelivered: fc.boolean(),
})

/** Runs of the same message, so that templates are made and used. */
const runs = fc.array(fc.tuple(samples, fc.integer({ min: 1, max: 20 })), {
  minLength: 1,
  maxLength: 12,
})

test("deliveries are what the specification says, with and without a template", () => {
  fc.assert(
    fc.property(
      runs,
      fc.constantFrom(4096, 8192, 131_072),
      fc.constantFrom(1, 2 ** 32 - 8, 2 ** 40),
      fc.integer({ min: 0, max: 40 }),
      (list, frameMax, firstTag, padding) => {
        const output = new Output()
        const writer = new DeliveryWriter(CHANNEL, frameMax, TAG)
        let tag = firstTag
        for (const [sample, count] of list) {
          const expected: Buffer[] = []
          for (let i = 0; i < count; i++) {
            const one = { ...sample, redelivered: sample.redelivered !== (i % 3 === 0) }
            writer.write(output.outbox, tag, stored(one, padding))
            expected.push(expectedDelivery(one, tag, frameMax))
            tag++
          }
          assertSame(output.take(), Buffer.concat(expected), JSON.stringify(sample).slice(0, 200))
        }
      },
    ),
    { ...RUNS, numRuns: 150 },
  )
})

test("a run of deliveries is what its deliveries one by one would be", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(samples, fc.integer({ min: 1, max: 60 })), { minLength: 1, maxLength: 5 }),
      fc.constantFrom(4096, 131_072),
      fc.constantFrom(1, 2 ** 32 - 8, 2 ** 40),
      (list, frameMax, firstTag) => {
        const output = new Output()
        const writer = new DeliveryWriter(CHANNEL, frameMax, TAG)
        let tag = firstTag
        for (const [sample, count] of list) {
          const all = Array.from({ length: count }, () => stored(sample, 7))
          const first = all[0]!
          first.size = first.chunk.bytes.length
          first.chunk = new Chunk(Buffer.concat(all.map(({ chunk }) => chunk.bytes)))
          if (sample.bodySize >= 4)
            for (let i = 0; i < count; i++)
              first.chunk.bytes.writeInt32LE(i, i * first.size + first.bodyStart)
          const { bodyStart, bodyEnd, size, chunk } = first
          writer.write(output.outbox, tag, first, count)
          const expected = all.map((_, i) => {
            const bytes = expectedDelivery(sample, tag + i, frameMax)
            if (sample.bodySize < 4) return bytes
            const usual = bodyOf(sample).subarray(0, 4)
            const at = bytes.indexOf(usual, bytes.length - bodySizeOnWire(sample, frameMax))
            chunk.bytes.copy(bytes, at, bodyStart + i * size, bodyStart + i * size + 4)
            return bytes
          })
          assert.ok(bodyEnd - bodyStart === sample.bodySize)
          assertSame(output.take(), Buffer.concat(expected), JSON.stringify(sample).slice(0, 200))
          tag += count
        }
      },
    ),
    { ...RUNS, numRuns: 100 },
  )
})

/** The body with the heads and ends of its frames but the first head. */
function bodySizeOnWire({ bodySize }: Sample, frameMax: number): number {
  return bodySize + 1 + 8 * (Math.ceil(bodySize / (frameMax - 8)) - 1)
}

for (const frameMax of [4096, 131_072])
  test(`bodies of all sizes around every limit are delivered whole (frame_max ${frameMax})`, () => {
    const limits = [frameMax - 8, 2 * (frameMax - 8), OUTBOX_CHUNK_BYTES / 4, OUTBOX_CHUNK_BYTES]
    const output = new Output()
    const writer = new DeliveryWriter(CHANNEL, frameMax, TAG)
    let tag = 0
    for (const limit of limits)
      for (const properties of [NO_PROPERTIES, Buffer.alloc(40, 1)])
        for (let bodySize = limit - 110; bodySize <= limit + 3; bodySize++) {
          const sample = {
            exchange: "e",
            routingKey: "k",
            properties,
            bodySize,
            redelivered: false,
          }
          // Another one is in the chunk already, so that the border moves.
          writer.write(output.outbox, ++tag, stored(sample, 0))
          writer.write(output.outbox, ++tag, stored(sample, 5))
          const expected = [tag - 1, tag].map((one) => expectedDelivery(sample, one, frameMax))
          assertSame(output.take(), Buffer.concat(expected), `a body of ${bodySize}`)
        }
  })

test("a template is not used for a message that differs in any part", () => {
  const output = new Output()
  const writer = new DeliveryWriter(CHANNEL, 131_072, TAG)
  const base = { exchange: "ab", routingKey: "cd", properties: PERSISTENT, bodySize: 10 }
  const others: Sample[] = [
    { ...base, exchange: "a", routingKey: "bcd", redelivered: false },
    { ...base, exchange: "xb", redelivered: false },
    { ...base, routingKey: "cx", redelivered: false },
    { ...base, properties: Buffer.from([0x10, 0, 1]), redelivered: true },
    { ...base, properties: NO_PROPERTIES, routingKey: "cde", redelivered: false },
    { ...base, bodySize: 11, redelivered: false },
    { ...base, bodySize: 0, redelivered: false },
  ]
  let tag = 0
  for (let round = 0; round < 40; round++)
    for (const other of others) {
      const sample = { ...base, redelivered: false }
      writer.write(output.outbox, ++tag, stored(sample, 3))
      assertSame(output.take(), expectedDelivery(sample, tag, 131_072), "the usual one")
      writer.write(output.outbox, ++tag, stored(other, 9))
      assertSame(output.take(), expectedDelivery(other, tag, 131_072), "the other one")
    }
})

test("get-ok and return carry the message as it was published", () => {
  fc.assert(
    fc.property(samples, fc.constantFrom(4096, 131_072), (sample, frameMax) => {
      const output = new Output()
      const message = stored(sample, 7)
      writeGetOk(output.outbox, CHANNEL, frameMax, 2 ** 33 + 1, 77, message)
      const route = [shortString(sample.exchange), shortString(sample.routingKey)]
      const getOk = [u16(60), u16(71), u64(2 ** 33 + 1), Buffer.from([sample.redelivered ? 1 : 0])]
      const expected = [frame(1, ...getOk, ...route, u32(77)), content(sample, frameMax)]
      assertSame(output.take(), Buffer.concat(expected), "get-ok")

      const incoming = new IncomingMessage()
      incoming.route = incoming.properties = incoming.body = message.chunk
      incoming.routeStart = message.routeStart
      incoming.routeEnd = message.routeEnd
      incoming.propertiesStart = message.propertiesStart
      incoming.propertiesEnd = message.propertiesEnd
      incoming.bodyStart = message.bodyStart
      incoming.bodyEnd = message.bodyEnd
      writeReturn(output.outbox, CHANNEL, frameMax, 312, "NO_ROUTE", incoming)
      const returned = frame(1, u16(60), u16(50), u16(312), shortString("NO_ROUTE"), ...route)
      assertSame(output.take(), Buffer.concat([returned, content(sample, frameMax)]), "return")
    }),
    { ...RUNS, numRuns: 100 },
  )
})
