/**
 * Random and mutated payloads through every reader of the codec. Each must give a value or a
 * ProtocolError: anything else, such as a RangeError, would be an internal error in the broker.
 */
import assert from "node:assert/strict"
import { test } from "node:test"
import { ProtocolError } from "../../src/amqp/errors.ts"
import * as generated from "../../src/amqp/generated/methods.ts"
import { decodeProperties, encodeProperties } from "../../src/amqp/properties.ts"
import { PropertyScan, SCAN_OK } from "../../src/amqp/property-scan.ts"
import { AmqpReader } from "../../src/amqp/reader.ts"
import { tableFromPlain } from "../../src/amqp/table.ts"
import { decodeTable, decodeTableEntries, encodeTable } from "../../src/amqp/table-codec.ts"
import { findHeader } from "../../src/amqp/table-scan.ts"
import { Chunk } from "../../src/util/bytes.ts"
import { chooseSeed, createRandom, timeBoxSeconds, type Random } from "../support/seed.ts"

type Read = (reader: AmqpReader) => unknown

const READERS = Object.entries(generated)
  .filter(([name]) => name.startsWith("read"))
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- All exports of this name are readers.
  .map(([, read]) => read as Read)

const TABLE = tableFromPlain({
  number: 1,
  text: "some text",
  list: [1, 2.5, true, null, "x", { deep: { deeper: [[]] } }],
  "x-match": "all",
})
const SEEDS: readonly Buffer[] = [
  encodeTable(TABLE),
  encodeProperties({
    headers: TABLE,
    deliveryMode: 2,
    priority: 1,
    expiration: "10",
    timestamp: 5n,
  }),
  encodeProperties({ contentType: "a", appId: "b", headers: TABLE }),
  generated
    .writeQueueDeclare(1, {
      queue: "name",
      passive: false,
      durable: true,
      exclusive: false,
      autoDelete: false,
      nowait: false,
      arguments: TABLE,
    })
    .subarray(11, -1),
  Buffer.alloc(0),
]

function mutate(random: Random, seed: Buffer): Buffer {
  const bytes = Buffer.from(seed)
  const count = 1 + random.below(4)
  for (let i = 0; i < count && bytes.length > 0; i++)
    bytes[random.below(bytes.length)] = random.chance(0.5)
      ? random.below(256)
      : random.pick([0, 1, 4, 0x41, 0x46, 0x53, 0x56, 0x7f, 0x80, 0xff])
  if (random.chance(0.2)) return bytes.subarray(0, random.below(bytes.length + 1))
  if (random.chance(0.2)) return Buffer.concat([bytes, random.bytes(random.below(8))])
  return bytes
}

/** True if it decoded. */
function decodes(read: () => unknown): boolean {
  try {
    read()
    return true
  } catch (error) {
    if (error instanceof ProtocolError) return false
    throw error
  }
}

test("no payload makes a reader fail with anything but a protocol error", () => {
  const random = createRandom(chooseSeed("codec fuzz"))
  const endMs = performance.now() + timeBoxSeconds(2, 20) * 1000
  const scan = new PropertyScan()
  const name = new Chunk(Buffer.from("text"))
  let decodedCount = 0
  while (performance.now() < endMs) {
    const bytes = random.chance(0.1)
      ? random.bytes(random.below(60))
      : mutate(random, random.pick(SEEDS))
    const read = random.pick(READERS)
    if (decodes(() => read(new AmqpReader(bytes)))) decodedCount++
    decodes(() => decodeTable(bytes))
    decodes(() => decodeTableEntries(bytes))
    const areProperties = decodes(() => decodeProperties(bytes))
    if (areProperties) decodedCount++
    // The scan reads in the middle of foreign bytes, as in a received chunk.
    const chunk = new Chunk(Buffer.concat([random.bytes(4), bytes, random.bytes(4)]))
    const result = scan.scan(chunk, 4, 4 + bytes.length)
    if (areProperties) assert.equal(result, SCAN_OK, bytes.toString("hex"))
    if (result === SCAN_OK && scan.headersStart >= 0) {
      const at = findHeader(chunk, scan.headersStart, scan.headersEnd, name)
      assert.ok(at < scan.headersEnd, bytes.toString("hex"))
    }
  }
  assert.ok(decodedCount > 0, "the mutations never left a payload whole: the test tests nothing")
})
