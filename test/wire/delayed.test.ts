/** Messages that wait at an exchange. The declaration of delayed exchanges is delayed-type.test.ts. */
import assert from "node:assert/strict"
import type { DelayedMessages } from "../../src/broker/delayed/delayed-messages.ts"
import { numberOf, TypedNumber, type FieldValue } from "../../src/amqp/table.ts"
import { MemoryDisk } from "../../src/storage/memory-disk.ts"
import { ManualClock } from "../../src/util/clock.ts"
import { eventually } from "../support/eventually.ts"
import type { WireClient } from "../support/wire-client.ts"
import { bindQueue, declareExchange } from "./exchange-support.ts"
import {
  countsOf,
  declare,
  drain,
  get,
  publishAndWait,
  table,
  text,
  wireTest,
  type WireTest,
} from "./harness.ts"

const TYPE = "x-delayed-message"

/** The test moves the clock, and its broker keeps its files over a restart. */
function delayTest(
  name: string,
  body: (wire: WireTest, clock: ManualClock) => Promise<void>,
  disk = new MemoryDisk(),
): void {
  const clock = new ManualClock()
  wireTest(name, (wire) => body(wire, clock), { clock, disk })
}

async function publish(
  client: WireClient,
  exchange: string,
  body: string,
  delay: FieldValue | null,
  more: { routingKey?: string; mandatory?: boolean; deliveryMode?: number } = {},
): Promise<void> {
  const { deliveryMode, ...rest } = more
  const headers = delay === null ? table({}) : new Map([["x-delay", delay]])
  const properties = deliveryMode === undefined ? { headers } : { headers, deliveryMode }
  await publishAndWait(client, { exchange, properties, body: text(body), ...rest })
}

async function delayedFanout(client: WireClient, exchange = "e", queue = "q"): Promise<void> {
  await declareExchange(client, exchange, TYPE, { "x-delayed-type": "fanout" })
  await bindQueue(client, exchange, queue)
}

const int = (value: number): TypedNumber => new TypedNumber("I", value)

function waitingAt(wire: WireTest, exchange: string): DelayedMessages {
  return wire.vhost.delayed.of(wire.vhost.exchange(exchange))
}

delayTest("a message waits for its delay and shows that it did", async (wire, clock) => {
  const client = await wire.channel()
  await declareExchange(client, "e", TYPE, { "x-delayed-type": "topic" })
  await bindQueue(client, "e", "q", "a.*")
  await publish(client, "e", "late", int(5000), { routingKey: "a.b" })
  await publish(client, "e", "now", null, { routingKey: "a.b" })
  clock.advance(4999)
  assert.deepEqual(await drain(client, "q"), ["now"])
  clock.advance(20)
  const message = await get(client, "q")
  assert.equal(message?.body.toString(), "late")
  assert.deepEqual([message.exchange, message.routingKey, message.redelivered], ["e", "a.b", false])
  const delay = message.properties.headers?.get("x-delay")
  assert.ok(delay instanceof TypedNumber)
  assert.equal(Number(numberOf(delay)), -5000, "negated, as a sign that it has waited")
})

delayTest("messages come in the order of their due times", async (wire, clock) => {
  const client = await wire.channel()
  await delayedFanout(client)
  for (const [body, delay] of [
    ["3a", 300],
    ["1", 100],
    ["3b", 300],
    ["2", 200],
  ] as const)
    await publish(client, "e", body, int(delay))
  clock.advance(1000)
  assert.deepEqual(await drain(client, "q"), ["1", "2", "3a", "3b"])
})

delayTest("a delay is a positive number of up to 49 days, in any form", async (wire, clock) => {
  const client = await wire.channel()
  await delayedFanout(client)
  const waiting: FieldValue[] = [
    int(1000),
    new TypedNumber("b", 100),
    new TypedNumber("l", 1000n),
    new TypedNumber("d", 1000.5),
    "1000",
  ]
  for (const delay of waiting) await publish(client, "e", "waits", delay)
  assert.deepEqual(await drain(client, "q"), [])
  const atOnce: FieldValue[] = [
    int(0),
    int(-1000),
    new TypedNumber("l", 2n ** 32n),
    new TypedNumber("d", Number.NaN),
    "soon",
    "",
    true,
    null,
    [int(1000)],
    table({ a: 1 }),
  ]
  for (const delay of atOnce) await publish(client, "e", "at once", delay)
  assert.equal((await drain(client, "q")).length, atOnce.length)
  clock.advance(1100)
  assert.equal((await drain(client, "q")).length, waiting.length)
  await publish(client, "e", "longest", new TypedNumber("l", 2n ** 32n - 1n))
  assert.equal(waitingAt(wire, "e").firstDueMs - clock.nowMs, 2 ** 32 - 1)
})

delayTest(
  "a message that waits counts as routed, and is confirmed when it is safe",
  async (wire) => {
    const client = await wire.channel()
    await declareExchange(client, "e", TYPE, { "x-delayed-type": "direct" }, true)
    await client.call("confirm.select", 1)
    const headers = new Map([["x-delay", int(1000)]])
    for (const deliveryMode of [1, 2]) {
      const properties = { headers, deliveryMode }
      client.publish(1, {
        exchange: "e",
        routingKey: "nowhere",
        mandatory: true,
        properties,
        body: text("m"),
      })
      await client.expect("basic.ack", 1)
    }
    assert.equal(waitingAt(wire, "e").count, 2)
  },
)

delayTest(
  "what matches nothing when it is due goes to the alternate, or away",
  async (wire, clock) => {
    const client = await wire.channel()
    await declareExchange(client, "away", TYPE, { "x-delayed-type": "direct" })
    await declareExchange(client, "other", "fanout")
    await bindQueue(client, "other", "q")
    await declareExchange(client, "kept", TYPE, {
      "x-delayed-type": "direct",
      "alternate-exchange": "other",
    })
    await publish(client, "away", "lost", int(100), { routingKey: "k" })
    await publish(client, "kept", "found", int(100), { routingKey: "k" })
    clock.advance(200)
    assert.deepEqual(await drain(client, "q"), ["found"])
    assert.equal(waitingAt(wire, "away").count, 0)
  },
)

delayTest("due times survive a restart, and what is overdue comes at once", async (wire, clock) => {
  const client = await wire.channel()
  await declareExchange(client, "e", TYPE, { "x-delayed-type": "fanout" }, true)
  await declare(client, "q", { durable: true })
  await client.call("queue.bind", 1, { queue: "q", exchange: "e" })
  await client.call("confirm.select", 1)
  for (const [body, delay] of [
    ["later", 60_000],
    ["soon", 10_000],
  ] as const) {
    const properties = { headers: new Map([["x-delay", int(delay)]]), deliveryMode: 2 }
    client.publish(1, { exchange: "e", properties, body: text(body) })
    await client.expect("basic.ack", 1)
  }
  await wire.restart()
  assert.equal(waitingAt(wire, "e").count, 2)
  clock.advance(30_000)
  const after = await wire.channel()
  await eventually(async () => assert.equal((await countsOf(after, "q")).messages, 1))
  assert.deepEqual(await drain(after, "q"), ["soon"])
  await wire.restart()
  clock.advance(31_000)
  const last = await wire.channel()
  await eventually(async () => assert.equal((await countsOf(last, "q")).messages, 1))
  assert.deepEqual(await drain(last, "q"), ["later"])
  await wire.restart()
  assert.equal(waitingAt(wire, "e").count, 0)
})

const disk = new MemoryDisk()

delayTest(
  "with a deleted exchange its messages go",
  async (wire, clock) => {
    const client = await wire.channel()
    const declareAgain = (): Promise<void> =>
      declareExchange(client, "e", TYPE, { "x-delayed-type": "fanout" }, true)
    await declareAgain()
    await publish(client, "e", "lost", int(1000), { deliveryMode: 2 })
    const used = disk.usedBytes
    await client.call("exchange.delete", 1, { exchange: "e" })
    await declareAgain()
    await bindQueue(client, "e", "q")
    clock.advance(2000)
    assert.deepEqual(await drain(client, "q"), [])
    assert.ok(disk.usedBytes < used + 500)
    await wire.restart()
    assert.equal(waitingAt(wire, "e").count, 0)
  },
  disk,
)

delayTest(
  "a policy delays at an ordinary exchange; what waits goes out after it",
  async (wire, clock) => {
    const client = await wire.channel()
    await declareExchange(client, "plain", "fanout")
    await bindQueue(client, "plain", "q")
    await publish(client, "plain", "before", int(1000))
    await wire.vhost.policies.set("late", {
      pattern: "^plain$",
      applyTo: "exchanges",
      definition: { "delayed-message": true },
    })
    await publish(client, "plain", "during", int(1000))
    assert.deepEqual(await drain(client, "q"), ["before"])
    await wire.vhost.policies.delete("late")
    await publish(client, "plain", "after", int(1000))
    assert.deepEqual(await drain(client, "q"), ["after"])
    clock.advance(1100)
    assert.deepEqual(await drain(client, "q"), ["during"])
  },
)

delayTest(
  "a delay applies where a binding leads, and the rest is routed at once",
  async (wire, clock) => {
    const client = await wire.channel()
    await declareExchange(client, "source", "fanout")
    await delayedFanout(client, "late", "q.late")
    await bindQueue(client, "source", "q.now")
    await client.call("exchange.bind", 1, { source: "source", destination: "late" })
    await publish(client, "source", "m", int(1000))
    assert.deepEqual(await drain(client, "q.now"), ["m"])
    assert.deepEqual(await drain(client, "q.late"), [])
    clock.advance(1100)
    assert.deepEqual(await drain(client, "q.late"), ["m"])
    assert.deepEqual(await drain(client, "q.now"), [])
  },
)

delayTest("delayed exchanges bound in a circle delay once each", async (wire, clock) => {
  const client = await wire.channel()
  await delayedFanout(client, "a", "q.a")
  await delayedFanout(client, "b", "q.b")
  await client.call("exchange.bind", 1, { source: "a", destination: "b" })
  await client.call("exchange.bind", 1, { source: "b", destination: "a" })
  await publish(client, "a", "m", int(1000))
  for (let i = 0; i < 10; i++) clock.advance(1000)
  // Its header is negative once it has waited: it is not delayed a second time.
  assert.deepEqual(await drain(client, "q.a"), ["m"])
  assert.deepEqual(await drain(client, "q.b"), ["m"])
})

delayTest("CC and BCC count when the message is due", async (wire, clock) => {
  const client = await wire.channel()
  await declareExchange(client, "e", TYPE, { "x-delayed-type": "direct" })
  for (const key of ["main", "cc", "bcc"]) await bindQueue(client, "e", key, key)
  const headers = new Map<string, FieldValue>([
    ["x-delay", int(1000)],
    ["CC", ["cc"]],
    ["BCC", ["bcc"]],
  ])
  const properties = { headers }
  await publishAndWait(client, { exchange: "e", routingKey: "main", properties, body: text("m") })
  clock.advance(1100)
  for (const key of ["main", "cc", "bcc"]) {
    const message = await get(client, key)
    assert.equal(message?.properties.headers?.has("CC"), true, key)
    assert.equal(message?.properties.headers?.has("BCC"), false, key)
  }
})

delayTest("pending messages can be looked at, cancelled and purged", async (wire, clock) => {
  const client = await wire.channel()
  await delayedFanout(client)
  for (let i = 1; i <= 5; i++)
    await publish(client, "e", `m${String(i)}`, int(i * 1000), { routingKey: `k${String(i)}` })
  const waiting = waitingAt(wire, "e")
  const page = waiting.browse({ skip: 1, limit: 2 })
  assert.deepEqual(
    page.map(({ body, routingKey, state }) => [body.toString(), routingKey, state]),
    [
      ["m2", "k2", "delayed"],
      ["m3", "k3", "delayed"],
    ],
  )
  assert.equal(waiting.cancel(page[0]!.segment, page[0]!.position), true)
  clock.advance(3100)
  assert.deepEqual(await drain(client, "q"), ["m1", "m3"])
  assert.equal(waiting.purge(), 2)
  clock.advance(10_000)
  assert.deepEqual(await drain(client, "q"), [])
})

delayTest("a dead letter waits where its dead letter exchange delays", async (wire, clock) => {
  const client = await wire.channel()
  await delayedFanout(client, "late", "again")
  await declare(client, "work", { arguments: { "x-dead-letter-exchange": "late" } })
  await publishAndWait(client, {
    routingKey: "work",
    properties: { headers: new Map([["x-delay", int(1000)]]) },
    body: text("m"),
  })
  const message = await get(client, "work", { noAck: false })
  client.send("basic.reject", 1, { deliveryTag: message!.deliveryTag, requeue: false })
  assert.deepEqual(await drain(client, "again"), [])
  clock.advance(1100)
  const again = await get(client, "again")
  assert.equal(again?.body.toString(), "m")
  assert.equal(again.properties.headers?.has("x-death"), true)
})

delayTest(
  "a queue may dead-letter to the exchange that is just handing out",
  async (wire, clock) => {
    const client = await wire.channel()
    await declareExchange(client, "late", TYPE, { "x-delayed-type": "fanout" })
    const args = { "x-max-length": 1, "x-dead-letter-exchange": "late" }
    await declare(client, "short", { arguments: args })
    await client.call("queue.bind", 1, { queue: "short", exchange: "late" })
    await bindQueue(client, "late", "all")
    const large = Buffer.alloc(5000, "L")
    const properties = { headers: new Map([["x-delay", int(5000)]]) }
    for (const mark of ["1", "2", "3"]) {
      await publishAndWait(client, { routingKey: "short", properties, body: Buffer.from(mark) })
      const due = { headers: new Map([["x-delay", int(100)]]) }
      await publishAndWait(client, { exchange: "late", properties: due, body: large })
    }
    // Each of the large ones pushes out what was in the queue, which waits then at the same exchange, or
    // goes on at once if it has waited.
    const found: string[] = []
    for (let i = 0; i < 10; i++) {
      clock.advance(1000)
      found.push(...(await drain(client, "all")))
    }
    const marks = found.filter((body) => body !== large.toString())
    assert.deepEqual([...new Set(marks)].toSorted(), ["1", "2", "3"])
    assert.ok(found.length - marks.length >= 3)
  },
)
