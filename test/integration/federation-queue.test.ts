/** Federated queues between brokers in this process. */
import assert from "node:assert/strict"
import { test } from "node:test"
import type { TestContext } from "node:test"
import { tableToPlain } from "../../src/amqp/table.ts"
import type { ReceivedMessage } from "../../src/client/delivery.ts"
import { eventually, pause } from "../support/eventually.ts"
import { FederationBed } from "../support/federation-bed.ts"
import { bodies, drain, openChannel } from "../support/shovel-bed.ts"

async function withQueue<const Names extends readonly string[]>(
  context: TestContext,
  ...names: Names
): Promise<{ [Index in keyof Names]: FederationBed }> {
  const beds: FederationBed[] = []
  for (const name of names) {
    const bed = await FederationBed.open(context, name)
    await bed.channel.declareQueue("q", { durable: true })
    beds.push(bed)
  }
  // As many as names.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return beds as { [Index in keyof Names]: FederationBed }
}

interface Taker {
  readonly messages: ReceivedMessage[]
  ack(): void
  cancel(): Promise<void>
}

/** A consumer that acknowledges when it is told to, or at once. */
async function consume(
  context: TestContext,
  bed: FederationBed,
  options: {
    readonly prefetch?: number
    readonly priority?: number
    readonly holds?: boolean
  } = {},
): Promise<Taker> {
  const channel = await openChannel(context, bed.uri)
  await channel.qos(options.prefetch ?? 100)
  const messages: ReceivedMessage[] = []
  const consumer = await channel.consume("q", {
    arguments: options.priority === undefined ? {} : { "x-priority": options.priority },
    onDelivery(delivery) {
      messages.push(delivery.copy())
      if (options.holds !== true) channel.ack(delivery.deliveryTag)
    },
  })
  return {
    messages,
    ack: () => channel.ackAll(),
    cancel: () => channel.cancel(consumer.tag),
  }
}

test("messages are moved while a consumer here waits for them", async (context) => {
  const [a, b] = await withQueue(context, "a", "b")
  await b.upstream("up", a.uri)
  await b.policy("^q$")
  await b.untilRunning(1)
  a.publish("amq.direct", "nobody", "x")
  await a.channel.bindQueue("q", "amq.topic", "#")
  a.publish("amq.topic", "k", "1", { headers: new Map([["mine", "1"]]), userId: "guest" })
  await eventually(() => assert.equal(a.count("q"), 1))
  await pause(50)
  assert.equal(a.queue("q").consumerCount, 0)
  const taker = await consume(context, b)
  await eventually(() => assert.equal(taker.messages.length, 1))
  await eventually(() => assert.equal(a.queue("q").unackedCount + a.count("q"), 0))
  const { headers, ...properties } = taker.messages[0]!.properties
  assert.deepEqual(properties, {})
  const uri = a.uri.replace("guest:guest@", "")
  assert.deepEqual(JSON.parse(JSON.stringify(tableToPlain(headers!), bigints)), {
    mine: "1",
    "x-original-exchange": "amq.topic",
    "x-original-routing-key": "k",
    "x-received-from": [{ uri, queue: "q", redelivered: false, "visit-count": "1" }],
  })
  const upstreamConsumer = [...a.queue("q").subscribers][0]
  assert.equal(upstreamConsumer?.priority, -1)
  assert.equal(upstreamConsumer?.tag, "federation-link-up")
  await taker.cancel()
  await eventually(() => assert.equal(a.queue("q").consumerCount, 0))
  for (let i = 0; i < 5; i++) a.publish("", "q", String(i))
  await eventually(() => assert.equal(a.count("q"), 5))
})

test("consumers at the upstream come first", async (context) => {
  const [a, b] = await withQueue(context, "a", "b")
  await b.upstream("up", a.uri)
  await b.policy("^q$")
  const near = await consume(context, a, { prefetch: 5, holds: true })
  const far = await consume(context, b, { prefetch: 5, holds: true })
  await eventually(() => assert.equal(a.queue("q").consumerCount, 2))
  for (let i = 0; i < 3; i++) a.publish("", "q", String(i))
  await eventually(() => assert.equal(near.messages.length, 3))
  assert.equal(far.messages.length, 0)
  for (let i = 3; i < 8; i++) a.publish("", "q", String(i))
  await eventually(() => assert.equal(far.messages.length, 3))
  assert.equal(near.messages.length, 5)
})

test("nothing is drawn while messages wait here or no consumer of this broker has capacity", async (context) => {
  const [a, b] = await withQueue(context, "a", "b")
  await b.upstream("up", a.uri, { "prefetch-count": 1 })
  await b.policy("^q$")
  await b.untilRunning(1)
  // As the link of another broker would consume.
  const link = await consume(context, b, { priority: -1 })
  for (let i = 0; i < 10; i++) a.publish("", "q", String(i))
  await eventually(() => assert.equal(a.count("q"), 10))
  await pause(50)
  assert.equal(link.messages.length, 0)
  const slow = await consume(context, b, { prefetch: 1, holds: true })
  await eventually(() => assert.equal(slow.messages.length, 1))
  await eventually(() => assert.equal(a.queue("q").consumerCount, 0))
  const left = a.count("q") + a.queue("q").unackedCount
  assert.ok(left >= 5, `${String(left)} messages are left at the upstream`)
})

test("two queues that federate each other: messages go where the consumer is, and come to rest", async (context) => {
  const [a, b] = await withQueue(context, "a", "b")
  await a.upstream("b", b.uri)
  await b.upstream("a", a.uri)
  await a.policy("^q$")
  await b.policy("^q$")
  await a.untilRunning(1)
  await b.untilRunning(1)
  const total = 500
  for (let i = 0; i < total; i++) a.publish("", "q", String(i))
  await eventually(() => assert.equal(a.count("q"), total))
  const there = await consume(context, b, { prefetch: 10 })
  await eventually(() => assert.equal(there.messages.length, total))
  await there.cancel()
  for (let i = 0; i < total; i++) b.publish("", "q", String(i))
  await eventually(() => assert.equal(b.count("q"), total))
  const here = await consume(context, a, { prefetch: 10 })
  await eventually(() => assert.equal(here.messages.length, total))
  // With consumers on both sides each takes what is published on its side.
  const again = await consume(context, b)
  for (let i = 0; i < total; i++) a.publish("", "q", String(i))
  await eventually(() =>
    assert.equal(here.messages.length + again.messages.length, 3 * total - total),
  )
  await eventually(() => assert.equal(a.count("q") + b.count("q"), 0))
  const ids = bodies([...here.messages.slice(total), ...again.messages]).map(Number)
  assert.deepEqual(
    ids.toSorted((x, y) => x - y),
    Array.from({ length: total }, (_, i) => i),
  )
  await eventually(() => assert.equal(a.queue("q").unackedCount + b.queue("q").unackedCount, 0))
})

test("a queue that is full sends messages back, and none is lost", async (context) => {
  const [a, b] = await withQueue(context, "a", "b")
  await b.upstream("up", a.uri)
  await b.vhost.policies.set("federate", {
    pattern: "^q$",
    definition: {
      "federation-upstream": "up",
      "max-length": 3,
      overflow: "reject-publish",
    },
  })
  await b.untilRunning(1)
  for (let i = 0; i < 50; i++) a.publish("", "q", String(i))
  await eventually(() => assert.equal(a.count("q"), 50))
  const slow = await consume(context, b, { prefetch: 1, holds: true })
  await eventually(() => assert.equal(slow.messages.length, 1))
  await eventually(() => assert.ok(b.links[0]!.status.counters.returned > 0))
  await eventually(() => assert.equal(a.queue("q").unackedCount, 0))
  assert.equal(slow.messages.length + b.count("q") + a.count("q"), 50)
})

test("streams and queues of links are not federated, a missing queue is made, one that goes at the upstream comes back", async (context) => {
  const [a, b] = await withQueue(context, "a", "b")
  await b.channel.declareQueue("s", { durable: true, arguments: { "x-queue-type": "stream" } })
  const purpose = { "x-internal-purpose": "federation" }
  await b.channel.declareQueue("internal", { durable: true, arguments: purpose })
  await b.upstream("up", a.uri, { queue: "other" })
  await b.policy("^(q|s|internal)$")
  await b.untilRunning(1)
  assert.deepEqual(
    b.links.map(({ resource, upstreamResource }) => [resource, upstreamResource]),
    [["q", "other"]],
  )
  assert.equal(a.vhost.queues.get("other")?.durable, true)
  const taker = await consume(context, b)
  await eventually(() => assert.equal(a.queue("other").consumerCount, 1))
  await a.channel.deleteQueue("other")
  await eventually(() => assert.match(b.links[0]?.status.error ?? "", /gone from the upstream/))
  await b.untilRunning(1)
  await eventually(() => assert.equal(a.queue("other").consumerCount, 1))
  a.publish("", "other", "back")
  await eventually(() => assert.deepEqual(bodies(taker.messages), ["back"]))
  await b.vhost.policies.delete("federate")
  await eventually(() => assert.equal(a.queue("other").consumerCount, 0))
  assert.equal(b.queue("q").onDemand, null)
  assert.deepEqual(await drain(a.channel, "other"), [])
})

function bigints(_name: string, value: unknown): unknown {
  return typeof value === "bigint" || typeof value === "number" ? String(value) : value
}
