/** Federated exchanges between brokers in this process. */
import assert from "node:assert/strict"
import { test } from "node:test"
import type { TestContext } from "node:test"
import { tableToPlain } from "../../src/amqp/table.ts"
import { eventually, pause } from "../support/eventually.ts"
import { FederationBed } from "../support/federation-bed.ts"
import { bodies, drain } from "../support/shovel-bed.ts"

async function withExchange<const Names extends readonly string[]>(
  context: TestContext,
  ...names: Names
): Promise<{ [Index in keyof Names]: FederationBed }> {
  const beds: FederationBed[] = []
  for (const name of names) {
    const bed = await FederationBed.open(context, name)
    await bed.channel.declareExchange("x", "topic", { durable: true })
    await bed.channel.declareQueue("q", { durable: true })
    beds.push(bed)
  }
  // As many as names.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return beds as { [Index in keyof Names]: FederationBed }
}

const QUEUE = "federation: x -> b"

test("messages that have a binding here are copied, with the link in their headers", async (context) => {
  const [a, b] = await withExchange(context, "a", "b")
  await b.channel.bindQueue("q", "x", "k.*")
  await b.upstream("up", a.uri)
  await b.policy("^x$", "up")
  await b.untilRunning(1)
  assert.deepEqual(a.bindings("x"), [`k.* ${QUEUE} A`])
  assert.deepEqual(a.bindings(`${QUEUE} A`), [` ${QUEUE}`])
  a.publish("x", "k.1", "one", {
    contentType: "text/plain",
    headers: new Map([["mine", "1"]]),
    deliveryMode: 2,
    messageId: "m",
    userId: "guest",
    appId: "app",
  })
  a.publish("x", "other", "two")
  a.publish("x", "k.2", "three")
  await eventually(() => assert.equal(b.count("q"), 2))
  await eventually(() => assert.equal(a.queue(QUEUE).unackedCount, 0))
  const messages = await drain(b.channel, "q")
  assert.deepEqual(bodies(messages), ["one", "three"])
  const { headers, ...properties } = messages[0]!.properties
  assert.deepEqual(properties, {
    contentType: "text/plain",
    deliveryMode: 2,
    messageId: "m",
    appId: "app",
  })
  const uri = a.uri.replace("guest:guest@", "")
  const entry = { uri, exchange: "x", redelivered: false, "cluster-name": "a", vhost: "/" }
  assert.deepEqual(JSON.parse(JSON.stringify(tableToPlain(headers!))), {
    mine: "1",
    "x-received-from": [entry],
  })
  assert.equal(messages[0]!.routingKey, "k.1")
  assert.equal(messages[0]!.exchange, "x")
  assert.equal(b.links[0]!.status.counters.confirmed, 2)
})

test("bindings are mirrored as they come and go, each once", async (context) => {
  const [a, b] = await withExchange(context, "a", "b")
  await b.upstream("up", a.uri)
  await b.policy("^x$")
  await b.untilRunning(1)
  await b.channel.declareQueue("q2", { durable: true })
  await b.channel.bindQueue("q", "x", "k")
  await b.channel.bindQueue("q2", "x", "k")
  await b.channel.bindQueue("q2", "x", "l")
  await eventually(() => assert.deepEqual(a.bindings("x"), [`k ${QUEUE} A`, `l ${QUEUE} A`]))
  await b.channel.unbindQueue("q", "x", "k")
  await b.channel.unbindQueue("q2", "x", "l")
  await eventually(() => assert.deepEqual(a.bindings("x"), [`k ${QUEUE} A`]))
  await b.channel.deleteQueue("q2")
  await eventually(() => assert.deepEqual(a.bindings("x"), []))
})

test("bindings that went while the link was down are gone when it is up again", async (context) => {
  const [a, b] = await withExchange(context, "a", "b")
  await b.channel.bindQueue("q", "x", "k")
  await b.channel.bindQueue("q", "x", "l")
  await b.upstream("up", a.uri, { "reconnect-delay": 0.5 })
  await b.policy("^x$")
  await b.untilRunning(1)
  await a.running.broker.closeConnections(() => true, "test")
  await eventually(() => assert.equal(b.links[0]?.status.state, "error"))
  assert.match(b.links[0]?.status.error ?? "", /CONNECTION_FORCED/)
  assert.ok((b.links[0]?.status.nextAttemptAtMs ?? 0) > 0)
  await b.channel.unbindQueue("q", "x", "l")
  await b.channel.bindQueue("q", "x", "m")
  await b.untilRunning(1)
  assert.deepEqual(a.bindings("x"), [`k ${QUEUE} B`, `m ${QUEUE} B`])
  assert.equal(a.vhost.exchanges.has(`${QUEUE} A`), false)
})

test("a policy that goes takes queue and exchange at the upstream with it", async (context) => {
  const [a, b] = await withExchange(context, "a", "b")
  await b.channel.bindQueue("q", "x", "k")
  await b.upstream("up", a.uri)
  await b.policy("^x$")
  await b.untilRunning(1)
  const [link] = b.links
  assert.ok(link !== undefined)
  await b.vhost.policies.delete("federate")
  await eventually(() => assert.equal(a.vhost.queues.has(QUEUE), false))
  await eventually(() => assert.equal(link.status.state, "stopped"))
  await eventually(() => assert.equal(a.vhost.exchanges.has(`${QUEUE} A`), false))
  assert.deepEqual(a.bindings("x"), [])
  assert.deepEqual(b.links, [])
  assert.equal(link.status.error, null)
  await b.policy("^x$")
  await b.untilRunning(1)
  await b.vhost.parameters.delete("federation-upstream", "up")
  await eventually(() => assert.equal(a.vhost.queues.has(QUEUE), false))
  await b.upstream("up", a.uri, { "resource-cleanup-mode": "never" })
  await b.untilRunning(1)
  await b.channel.deleteExchange("x")
  await eventually(() => assert.deepEqual(b.links, []))
  await pause(50)
  assert.equal(a.vhost.queues.has(QUEUE), true)
})

test("a chain: bindings and messages go as far as max-hops says", async (context) => {
  for (const [hops, reached] of [
    [1, 0],
    [2, 1],
  ] as const) {
    const [a, b, c] = await withExchange(context, "a", "b", "c")
    await c.channel.bindQueue("q", "x", "k")
    await b.upstream("a", a.uri, { "max-hops": hops })
    await c.upstream("b", b.uri, { "max-hops": hops })
    await b.policy("^x$")
    await c.policy("^x$")
    await b.untilRunning(1)
    await c.untilRunning(1)
    await eventually(() => assert.equal(b.bindings("x").length, 1))
    if (reached === 1) await eventually(() => assert.equal(a.bindings("x").length, 1))
    else assert.deepEqual(a.bindings("x"), [])
    b.publish("x", "k", "from b")
    await eventually(() => assert.equal(c.count("q"), 1))
    a.publish("x", "k", "from a")
    await eventually(() => assert.equal(c.count("q"), 1 + reached))
    const messages = await drain(c.channel, "q")
    const received = messages.map(({ properties }) => properties.headers?.get("x-received-from"))
    assert.deepEqual(
      received.map((entries) => (Array.isArray(entries) ? entries.length : 0)),
      reached === 1 ? [1, 2] : [1],
    )
  }
})

test("a ring delivers once to each", async (context) => {
  const beds = await withExchange(context, "a", "b", "c")
  for (const [index, bed] of beds.entries()) {
    await bed.channel.bindQueue("q", "x", "k")
    await bed.upstream("up", beds[(index + 1) % 3]!.uri, { "max-hops": 10 })
    await bed.policy("^x$")
  }
  for (const bed of beds) await bed.untilRunning(1)
  // Its own binding, and those of the two others that come over the one that is downstream of it.
  await eventually(() => {
    for (const bed of beds) assert.equal(bed.bindings("x").length, 3)
  })
  for (const [index, bed] of beds.entries()) bed.publish("x", "k", String(index))
  for (const bed of beds) await eventually(() => assert.equal(bed.count("q"), 3))
  await pause(100)
  for (const bed of beds)
    assert.deepEqual(bodies(await drain(bed.channel, "q")).toSorted(), ["0", "1", "2"])
})

test("a diamond delivers once for each way", async (context) => {
  const [a, b, c, d] = await withExchange(context, "a", "b", "c", "d")
  await d.channel.bindQueue("q", "x", "k")
  for (const middle of [b, c]) {
    await middle.upstream("a", a.uri, { "max-hops": 2 })
    await middle.policy("^x$")
  }
  await d.upstream("b", b.uri, { "max-hops": 2 })
  await d.upstream("c", c.uri, { "max-hops": 2 })
  await d.policy("^x$")
  await d.untilRunning(2)
  await b.untilRunning(1)
  await c.untilRunning(1)
  await eventually(() => assert.equal(a.bindings("x").length, 2))
  a.publish("x", "k", "m")
  await eventually(() => assert.equal(d.count("q"), 2))
  await pause(50)
  assert.deepEqual(bodies(await drain(d.channel, "q")), ["m", "m"])
})

test("two exchanges that federate each other do not send messages to and fro", async (context) => {
  const [a, b] = await withExchange(context, "a", "b")
  for (const [bed, other] of [
    [a, b],
    [b, a],
  ] as const) {
    await bed.channel.bindQueue("q", "x", "#")
    await bed.upstream("other", other.uri, { "max-hops": 10 })
    await bed.policy("^x$")
  }
  await a.untilRunning(1)
  await b.untilRunning(1)
  a.publish("x", "k", "1")
  b.publish("x", "k", "2")
  for (const bed of [a, b]) await eventually(() => assert.equal(bed.count("q"), 2))
  await pause(100)
  for (const bed of [a, b]) assert.equal(bed.count("q"), 2)
})
