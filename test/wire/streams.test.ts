import assert from "node:assert/strict"
import { numberOf, tableFromPlain, type PlainRecord, Timestamp } from "../../src/amqp/table.ts"
import { MemoryDisk } from "../../src/storage/memory-disk.ts"
import { ManualClock } from "../../src/util/clock.ts"
import { eventually } from "../support/eventually.ts"
import type { WireClient } from "../support/wire-client.ts"
import {
  consume,
  countsOf,
  declare,
  deliveries,
  publishTo,
  table,
  text,
  wireTest,
} from "./harness.ts"

async function declareStream(client: WireClient, args: PlainRecord = {}): Promise<void> {
  await declare(client, "s", { durable: true, arguments: { "x-queue-type": "stream", ...args } })
}

/** An open channel with a prefetch and the stream `s`. */
async function begin(
  open: { channel(count?: number): Promise<WireClient> },
  prefetchCount = 100,
): Promise<WireClient> {
  const client = await open.channel()
  await declareStream(client)
  await client.call("basic.qos", 1, { prefetchCount })
  return client
}

interface Received {
  readonly offset: number
  readonly body: string
  readonly deliveryTag: number
}

async function receive(client: WireClient, count: number): Promise<Received[]> {
  const received = await deliveries(client, count)
  return received.map(({ properties, body, deliveryTag, redelivered }) => {
    assert.equal(redelivered, false)
    const offset = Number(numberOf(properties.headers?.get("x-stream-offset")))
    return { offset, body: body.toString(), deliveryTag }
  })
}

async function offsets(client: WireClient, count: number): Promise<number[]> {
  return (await receive(client, count)).map(({ offset }) => offset)
}

wireTest("messages carry their offset and stay when they are acknowledged", async (wire) => {
  const client = await begin(wire, 2)
  publishTo(client, "s", "a", "b", "c")
  await consume(client, "s", { consumerTag: "t", arguments: { "x-stream-offset": "first" } })
  assert.deepEqual(await receive(client, 2), [
    { offset: 0, body: "a", deliveryTag: 1 },
    { offset: 1, body: "b", deliveryTag: 2 },
  ])
  await client.expectQuiet(1)
  client.send("basic.ack", 1, { deliveryTag: 2, multiple: true })
  assert.deepEqual(await offsets(client, 1), [2])
  assert.deepEqual(await countsOf(client, "s"), { messages: 3, consumers: 1 })
  publishTo(client, "s", "d", "e")
  assert.deepEqual(await offsets(client, 1), [3])
})

wireTest("nack, reject and requeue return credit and nothing else", async (wire) => {
  const client = await begin(wire, 1)
  publishTo(client, "s", "a", "b", "c", "d")
  await consume(client, "s", { arguments: { "x-stream-offset": "first" } })
  assert.deepEqual(await offsets(client, 1), [0])
  client.send("basic.reject", 1, { deliveryTag: 1, requeue: true })
  assert.deepEqual(await offsets(client, 1), [1])
  client.send("basic.nack", 1, { deliveryTag: 2, requeue: false })
  assert.deepEqual(await offsets(client, 1), [2])
  await client.call("basic.recover", 1, { requeue: true })
  assert.deepEqual(await offsets(client, 1), [3])
  client.send("basic.ack", 1, { deliveryTag: 3 })
  await client.expectChannelClose(1, {
    code: 406,
    text: "PRECONDITION_FAILED - unknown delivery tag 3",
    method: "basic.ack",
  })
})

wireTest("several consumers have their own places", async (wire) => {
  const client = await wire.channel(3)
  await declareStream(client)
  publishTo(client, "s", "a", "b")
  for (const [channel, start] of [
    [1, "first"],
    [2, 1],
    [3, "next"],
  ] as const) {
    await client.call("basic.qos", channel, { prefetchCount: 10 })
    await consume(client, "s", { channel, arguments: { "x-stream-offset": start } })
  }
  publishTo(client, "s", "c")
  const bodies = async (channel: number, count: number): Promise<string> =>
    (await deliveries(client, count, channel)).map(({ body }) => body.toString()).join("")
  assert.equal(await bodies(1, 3), "abc")
  assert.equal(await bodies(2, 2), "bc")
  assert.equal(await bodies(3, 1), "c")
})

wireTest("headers of the publisher come first, its own x-stream-offset does not", async (wire) => {
  const client = await begin(wire)
  const headers = table({ key: "value", "x-stream-offset": "mine", nested: { list: [1, 2] } })
  client.publish(1, {
    routingKey: "s",
    properties: { headers, contentType: "text/plain", messageId: "m" },
    body: text("a"),
  })
  await consume(client, "s", { arguments: { "x-stream-offset": "first" } })
  const [delivery] = await deliveries(client, 1)
  const { properties } = delivery!
  assert.deepEqual([properties.contentType, properties.messageId], ["text/plain", "m"])
  assert.deepEqual([...properties.headers!.keys()], ["key", "nested", "x-stream-offset"])
  assert.equal(numberOf(properties.headers!.get("x-stream-offset")), 0)
})

const clock = new ManualClock()

wireTest(
  "every form of x-stream-offset",
  async (wire) => {
    const client = await begin(wire)
    const startSeconds = Math.floor(clock.nowMs / 1000)
    for (let i = 0; i < 5; i++) {
      publishTo(client, "s", String(i))
      await countsOf(client, "s")
      clock.advance(60_000)
    }
    const cases: readonly (readonly [PlainRecord[string] | Timestamp, number])[] = [
      ["first", 0],
      ["last", 4],
      ["next", 5],
      [3, 3],
      [0, 0],
      [-1, 0],
      [-(2 ** 40), 0],
      [99, 5],
      [2n ** 60n, 5],
      [new Timestamp(BigInt(startSeconds + 120)), 2],
      [new Timestamp(BigInt(startSeconds + 121)), 3],
      [new Timestamp(0n), 0],
      [new Timestamp(BigInt(startSeconds + 10_000)), 5],
      ["3m", 2],
      ["179s", 3],
      ["1h", 0],
      ["1s", 5],
    ]
    for (const [start, expected] of cases) {
      const args =
        start instanceof Timestamp
          ? new Map([["x-stream-offset", start]])
          : tableFromPlain({ "x-stream-offset": start })
      const { consumerTag } = await client.call("basic.consume", 1, { queue: "s", arguments: args })
      if (expected === 5) await client.expectQuiet(1)
      else
        assert.equal(
          (await offsets(client, 5 - expected))[0],
          expected,
          JSON.stringify(start, (_, v) => (typeof v === "bigint" ? String(v) : v)),
        )
      await client.call("basic.cancel", 1, { consumerTag })
      client.send("basic.ack", 1, { deliveryTag: 0, multiple: true })
    }
  },
  { clock },
)

wireTest("without x-stream-offset a consumer gets what comes after it", async (wire) => {
  const client = await begin(wire)
  publishTo(client, "s", "a", "b")
  await consume(client, "s")
  publishTo(client, "s", "c")
  assert.deepEqual(await offsets(client, 1), [2])
})

const CONSUMER_ERRORS: readonly {
  readonly what: string
  readonly prefetch?: PlainRecord
  readonly consume: {
    readonly noAck?: boolean
    readonly exclusive?: boolean
    readonly arguments?: PlainRecord
  }
  readonly code: number
  readonly text: string
}[] = [
  {
    what: "no prefetch",
    prefetch: { prefetchCount: 0 },
    consume: {},
    code: 406,
    text: "PRECONDITION_FAILED - consumer prefetch count is not set for stream queue 's' in vhost '/'",
  },
  {
    what: "automatic acknowledgement",
    consume: { noAck: true },
    code: 540,
    text: "NOT_IMPLEMENTED - automatic acknowledgement not supported by stream queue 's' in vhost '/'",
  },
  {
    what: "a prefetch of the channel",
    prefetch: { prefetchCount: 5, global: true },
    consume: {},
    code: 540,
    text: "NOT_IMPLEMENTED - queue 's' in vhost '/' does not support global qos",
  },
  {
    what: "a priority",
    consume: { arguments: { "x-priority": 5 } },
    code: 406,
    text: "PRECONDITION_FAILED - invalid arg 'x-priority' for queue 's' in vhost '/' of queue type rabbit_stream_queue",
  },
  {
    what: "an offset that is none",
    consume: { arguments: { "x-stream-offset": "never" } },
    code: 406,
    text: `PRECONDITION_FAILED - invalid arg 'x-stream-offset' for queue 's' in vhost '/': {invalid_stream_offset_arg,{longstr,<<"never">>}}`,
  },
  {
    what: "a filter that is none",
    consume: { arguments: { "x-stream-filter": 1 } },
    code: 406,
    text: "PRECONDITION_FAILED - invalid arg 'x-stream-filter' for queue 's' in vhost '/': {unacceptable_type,signedint}",
  },
]

for (const { what, prefetch, consume: request, code, text: expected } of CONSUMER_ERRORS)
  wireTest(`a consumer with ${what} is refused`, async (wire) => {
    const client = await begin(wire)
    if (prefetch !== undefined) await client.call("basic.qos", 1, prefetch)
    const { arguments: args = {}, ...flags } = request
    client.send("basic.consume", 1, { queue: "s", ...flags, arguments: tableFromPlain(args) })
    const close = { code, text: expected, method: "basic.consume" } as const
    if (code === 540) await client.expectConnectionClose(close)
    else await client.expectChannelClose(1, close)
  })

wireTest("an exclusive consumer is accepted and shuts nobody out", async (wire) => {
  const client = await begin(wire)
  await consume(client, "s", { exclusive: true, consumerTag: "a" })
  await consume(client, "s", { consumerTag: "b" })
})

wireTest("basic.get is refused", async (wire) => {
  const client = await begin(wire)
  client.send("basic.get", 1, { queue: "s" })
  await client.expectConnectionClose({
    code: 540,
    text: "NOT_IMPLEMENTED - basic.get not supported by stream queue 's' in vhost '/'",
    method: "basic.get",
  })
})

wireTest("queue.purge is refused", async (wire) => {
  const client = await begin(wire)
  client.send("queue.purge", 1, { queue: "s" })
  await client.expectConnectionClose({
    code: 540,
    text: "NOT_IMPLEMENTED - queue.purge not supported by stream queues queue 's' in vhost '/'",
    method: "queue.purge",
  })
})

for (const flag of ["ifUnused", "ifEmpty"] as const)
  wireTest(`queue.delete with ${flag} is refused`, async (wire) => {
    const client = await begin(wire)
    client.send("queue.delete", 1, { queue: "s", [flag]: true })
    const close = await client.expect("connection.close")
    assert.equal(close.replyCode, 540)
  })

wireTest("deletion ends its consumers; a new stream of the name starts at 0", async (wire) => {
  const client = await begin(wire, 10)
  publishTo(client, "s", "a")
  await consume(client, "s", { consumerTag: "t", arguments: { "x-stream-offset": "first" } })
  assert.deepEqual(await offsets(client, 1), [0])
  client.send("queue.delete", 1, { queue: "s" })
  assert.equal((await client.expect("basic.cancel", 1)).consumerTag, "t")
  assert.equal((await client.expect("queue.delete-ok", 1)).messageCount, 1)
  client.send("basic.ack", 1, { deliveryTag: 1 })
  await declareStream(client)
  publishTo(client, "s", "b")
  await eventually(async () => {
    assert.equal((await countsOf(client, "s")).messages, 1)
  })
})

const DECLARE_ERRORS: readonly (readonly [string, PlainRecord, PlainRecord, string])[] = [
  [
    "transient",
    { durable: false },
    {},
    "invalid property 'non-durable' for queue 's' in vhost '/'",
  ],
  [
    "exclusive",
    { durable: true, exclusive: true },
    {},
    "invalid property 'exclusive-owner' for queue 's' in vhost '/'",
  ],
  [
    "auto-delete",
    { durable: true, autoDelete: true },
    {},
    "invalid property 'auto-delete' for queue 's' in vhost '/'",
  ],
  [
    "expiring",
    { durable: true },
    { "x-expires": 1000 },
    "invalid arg 'x-expires' for queue 's' in vhost '/' of queue type rabbit_stream_queue",
  ],
  [
    "wrongly aged",
    { durable: true },
    { "x-max-age": "1 day" },
    "invalid arg 'x-max-age' for queue 's' in vhost '/': invalid_max_age",
  ],
]

for (const [what, flags, args, message] of DECLARE_ERRORS)
  wireTest(`a stream that is ${what} is refused`, async (wire) => {
    const client = await wire.channel()
    client.send("queue.declare", 1, {
      queue: "s",
      ...flags,
      arguments: table({ "x-queue-type": "stream", ...args }),
    })
    await client.expectChannelClose(1, {
      code: 406,
      text: `PRECONDITION_FAILED - ${message}`,
      method: "queue.declare",
    })
  })

wireTest("confirms, mandatory, exchanges and dead-lettering work as with queues", async (wire) => {
  const client = await begin(wire)
  await client.call("queue.bind", 1, { queue: "s", exchange: "amq.topic", routingKey: "a.*" })
  await declare(client, "q", {
    arguments: { "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "s" },
  })
  await client.call("confirm.select", 1, {})
  const properties = { deliveryMode: 2 }
  client.publish(1, {
    exchange: "amq.topic",
    routingKey: "a.b",
    mandatory: true,
    properties,
    body: text("a"),
  })
  assert.equal((await client.expect("basic.ack", 1)).deliveryTag, 1)
  client.publish(1, { routingKey: "q", body: text("b") })
  assert.equal((await client.expect("basic.ack", 1)).deliveryTag, 2)
  await consume(client, "q", { consumerTag: "q" })
  const [dead] = await deliveries(client, 1)
  client.send("basic.reject", 1, { deliveryTag: dead!.deliveryTag, requeue: false })
  await consume(client, "s", { consumerTag: "s", arguments: { "x-stream-offset": "first" } })
  assert.deepEqual(
    (await receive(client, 2)).map(({ offset, body }) => [offset, body]),
    [
      [0, "a"],
      [1, "b"],
    ],
  )
})

wireTest("filters select by header before anything is sent", async (wire) => {
  const client = await begin(wire, 3)
  for (let i = 0; i < 300; i++) {
    const headers = i % 100 === 7 ? table({ "x-stream-filter-value": "rare" }) : table({})
    client.publish(1, { routingKey: "s", properties: { headers }, body: text(String(i)) })
  }
  await consume(client, "s", {
    arguments: { "x-stream-offset": "first", "x-stream-filter": "rare" },
  })
  assert.deepEqual(await offsets(client, 3), [7, 107, 207])
  await client.expectQuiet(1)
})

wireTest("retention removes the oldest files and moves readers on", async (wire) => {
  const client = await wire.channel()
  const args = { "x-max-length": 100, "x-stream-max-segment-size-bytes": 4096 }
  await declareStream(client, args)
  await client.call("basic.qos", 1, { prefetchCount: 2 })
  publishTo(client, "s", "0", "1", "2")
  await consume(client, "s", { arguments: { "x-stream-offset": "first" } })
  assert.deepEqual(await offsets(client, 2), [0, 1])
  for (let i = 3; i < 1000; i++) publishTo(client, "s", String(i).padEnd(50))
  await eventually(async () => {
    const { messages } = await countsOf(client, "s")
    assert.ok(messages > 40 && messages <= 200, String(messages))
  })
  const { messages } = await countsOf(client, "s")
  client.send("basic.ack", 1, { deliveryTag: 2, multiple: true })
  assert.deepEqual(await offsets(client, 2), [1000 - messages, 1001 - messages])
})

const disk = new MemoryDisk()

wireTest(
  "after a restart offsets, counts and places of consumers are what they were",
  async (wire) => {
    const first = await begin(wire, 10)
    await consume(first, "s", { consumerTag: "me" })
    publishTo(first, "s", ...Array.from({ length: 30 }, (_, i) => String(i)))
    assert.deepEqual((await offsets(first, 10)).at(-1), 9)
    first.send("basic.ack", 1, { deliveryTag: 4, multiple: true })
    first.send("basic.ack", 1, { deliveryTag: 7 }) // 5 and 6 are not acknowledged.
    await offsets(first, 5)
    await wire.restart()
    const second = await wire.channel()
    await declareStream(second)
    assert.deepEqual(await countsOf(second, "s"), { messages: 30, consumers: 0 })
    await second.call("basic.qos", 1, { prefetchCount: 10 })
    await consume(second, "s", { consumerTag: "me" })
    assert.deepEqual(await offsets(second, 10), [4, 5, 6, 7, 8, 9, 10, 11, 12, 13])
    publishTo(second, "s", "last")
    await consume(second, "s", { consumerTag: "end", arguments: { "x-stream-offset": 30 } })
    assert.deepEqual(await offsets(second, 1), [30])
  },
  { disk },
)
