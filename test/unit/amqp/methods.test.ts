import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { test } from "node:test"
import { generateMethods } from "../../../scripts/generate-amqp.ts"
import { ProtocolError } from "../../../src/amqp/errors.ts"
import * as generated from "../../../src/amqp/generated/methods.ts"
import { AmqpReader } from "../../../src/amqp/reader.ts"
import { CLASSES, type FieldSpec, type FieldType } from "../../../src/amqp/spec.ts"
import { methodFrame, type MethodName } from "../../support/wire-frames.ts"
import { tableFromPlain } from "../../../src/amqp/table.ts"

type Read = (reader: AmqpReader) => unknown
type Write = (channel: number, args?: unknown) => Buffer

/** A value for each field, different for neighbours so that swapped fields show. */
function sample(field: FieldSpec, index: number): unknown {
  const samples: Record<FieldType, unknown> = {
    octet: 200 + index,
    short: 60_000 + index,
    long: 4_000_000_000 + index,
    longlong: Number.MAX_SAFE_INTEGER - index,
    shortstr: `name ${index} é`,
    longstr: Buffer.from([0xff, index]),
    bit: index % 2 === 0,
    table: tableFromPlain({ index, nested: { text: "x" } }),
  }
  return samples[field.type]
}

interface MethodCase {
  name: string
  id: number
  args: Record<string, unknown>
  read: Read
  write: Write
}

function camel(text: string): string {
  return text.replaceAll(/(^|[.-])(.)/g, (_, __, letter: string) => letter.toUpperCase())
}

const functions = new Map<string, unknown>(Object.entries(generated))

/** A function of the generated module by its name: the types of all methods have nothing in common. */
function named(name: string): unknown {
  return functions.get(name)
}

const CASES: MethodCase[] = CLASSES.flatMap((amqpClass) =>
  amqpClass.methods.map((method) => {
    const name = `${amqpClass.name}.${method.name}`
    const fields = method.fields.filter((field) => !field.isReserved)
    return {
      name,
      id: amqpClass.id * 0x10000 + method.id,
      args: Object.fromEntries(fields.map((field, index) => [field.name, sample(field, index)])),
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      read: named(`read${camel(name)}`) as Read,
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      write: named(`write${camel(name)}`) as Write,
    }
  }),
)

test("the generated file is what the generator makes", () => {
  const file = new URL("../../../src/amqp/generated/methods.ts", import.meta.url)
  assert.equal(readFileSync(file, "utf8"), generateMethods())
})

test("all methods of AMQP 0-9-1 and RabbitMQ's extensions are there, and no other", () => {
  assert.equal(CASES.length, 66)
  assert.deepEqual(
    [...generated.METHOD_NAMES].map(([id, name]) => [name, id]),
    CASES.map(({ name, id }) => [name, id]),
  )
  assert.equal(generated.BASIC_PUBLISH, 0x003c0028)
  assert.equal(generated.EXCHANGE_UNBIND_OK, 0x00280033)
  assert.ok(generated.isKnownMethod(generated.TX_COMMIT))
  assert.ok(!generated.isKnownMethod(0x003c0029))
})

test("every method round-trips as one whole frame", () => {
  for (const { name, id, args, read, write } of CASES) {
    const frame = write(0xabcd, args)
    assert.equal(frame.readUInt8(0), 1, name)
    assert.equal(frame.readUInt16BE(1), 0xabcd, name)
    assert.equal(frame.readUInt32BE(3), frame.length - 8, name)
    assert.equal(frame.readUInt32BE(7), id, name)
    assert.equal(frame.at(-1), 0xce, name)
    const result = read(new AmqpReader(frame, 11, frame.length - 1))
    if (Object.keys(args).length === 0) assert.equal(result, undefined, name)
    else assert.deepEqual(result, args, name)
  }
})

test("the generated writers agree with a walk over the table", () => {
  for (const { name, args, write } of CASES)
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Both come from the same table.
    assert.deepEqual(methodFrame(name as MethodName, 5, args), write(5, args), name)
})

test("every truncation of every method is refused with a protocol error", () => {
  for (const { name, args, read, write } of CASES) {
    const frame = write(1, args)
    for (let end = 11; end < frame.length - 1; end++)
      assert.throws(() => read(new AmqpReader(frame, 11, end)), ProtocolError, `${name} to ${end}`)
  }
})

test("a byte too many after any method is refused with 501", () => {
  for (const { name, args, read, write } of CASES) {
    const frame = write(1, args)
    assert.throws(() => read(new AmqpReader(frame, 11, frame.length)), { code: 501 }, name)
  }
})

test("methods have their golden bytes", () => {
  const golden: [Buffer, string][] = [
    [
      generated.writeConnectionTune(0, { channelMax: 2047, frameMax: 131072, heartbeat: 60 }),
      "01 0000 0000000c 000a001e 07ff 00020000 003c ce",
    ],
    [generated.writeConnectionOpen(0, { vhost: "/" }), "01 0000 00000008 000a0028 012f 00 00 ce"],
    [generated.writeChannelOpenOk(1), "01 0001 00000008 0014000b 00000000 ce"],
    [
      generated.writeQueueDeclare(1, {
        queue: "q",
        passive: false,
        durable: true,
        exclusive: false,
        autoDelete: true,
        nowait: true,
        arguments: new Map(),
      }),
      "01 0001 0000000d 0032000a 0000 0171 1a 00000000 ce",
    ],
    [
      generated.writeQueueUnbind(1, {
        queue: "q",
        exchange: "x",
        routingKey: "k",
        arguments: new Map(),
      }),
      "01 0001 00000010 00320032 0000 0171 0178 016b 00000000 ce",
    ],
    [
      generated.writeBasicPublish(1, {
        exchange: "",
        routingKey: "q",
        mandatory: true,
        immediate: false,
      }),
      "01 0001 0000000a 003c0028 0000 00 0171 01 ce",
    ],
    [
      generated.writeBasicNack(3, { deliveryTag: 2 ** 53 - 1, multiple: false, requeue: true }),
      "01 0003 0000000d 003c0078 001fffffffffffff 02 ce",
    ],
  ]
  for (const [frame, hex] of golden) assert.equal(frame.toString("hex"), hex.replaceAll(" ", ""))
})

test("short strings of 0 and 255 bytes pass, invalid UTF-8 is refused with 501", () => {
  for (const size of [0, 255]) {
    const consumerTag = "x".repeat(size)
    const frame = generated.writeBasicConsumeOk(1, { consumerTag })
    assert.deepEqual(generated.readBasicConsumeOk(new AmqpReader(frame, 11, frame.length - 1)), {
      consumerTag,
    })
  }
  assert.throws(() => generated.writeBasicConsumeOk(1, { consumerTag: "é".repeat(128) }), {
    name: "AssertionError",
  })
  for (const hex of ["01ff", "02c3", "03eda080", "02c080"])
    assert.throws(() => generated.readBasicConsumeOk(new AmqpReader(Buffer.from(hex, "hex"))), {
      name: "ProtocolError",
    })
  assert.throws(
    () => generated.readBasicConsumeOk(new AmqpReader(Buffer.from("03eda080", "hex"))),
    { code: 501 },
  )
})

test("bits beyond the last one are ignored", () => {
  const args = generated.readBasicRecover(new AmqpReader(Buffer.from([0xff])))
  assert.deepEqual(args, { requeue: true })
})
