import assert from "node:assert/strict"
import type { FieldValue, PlainRecord } from "../../src/amqp/table.ts"
import { bindQueue, declareExchange, reached, refused } from "./exchange-support.ts"
import { declare, get, publishAndWait, table, text, wireTest } from "./harness.ts"

const QUEUES = ["a", "b", "c", "d"]

wireTest("CC and BCC are further routing keys, in every type of exchange", async (wire) => {
  const client = await wire.channel()
  await declareExchange(client, "t", "topic")
  for (const queue of QUEUES) {
    await bindQueue(client, "amq.direct", queue, queue)
    await bindQueue(client, "t", queue, `${queue}.#`)
  }
  for (const [exchange, suffix] of [
    ["amq.direct", ""],
    ["t", ".x"],
    ["", ""],
  ] as const) {
    const keys = (...names: string[]): string[] => names.map((name) => name + suffix)
    const to = (headers: PlainRecord): Promise<string[]> =>
      reached(client, exchange, `a${suffix}`, QUEUES, { headers: table(headers) })
    assert.deepEqual(await to({ CC: keys("b") }), ["a", "b"])
    assert.deepEqual(await to({ BCC: keys("c", "b") }), ["a", "b", "c"])
    assert.deepEqual(await to({ CC: keys("b"), BCC: keys("d") }), ["a", "b", "d"])
    assert.deepEqual(await to({ CC: keys("a", "b", "b"), BCC: keys("a", "b") }), ["a", "b"])
    assert.deepEqual(await to({ CC: [], BCC: [] }), ["a"])
    assert.deepEqual(await to({ CC: keys("missing") }), ["a"])
  }
})

wireTest(
  "a fanout gives one copy, a key of CC keeps the message from the alternate",
  async (wire) => {
    const client = await wire.channel()
    await declareExchange(client, "rest", "fanout")
    await declareExchange(client, "e", "direct", { "alternate-exchange": "rest" })
    await bindQueue(client, "e", "matched", "k")
    await bindQueue(client, "rest", "unmatched")
    await bindQueue(client, "amq.fanout", "all")
    const headers = table({ CC: ["k"] })
    const queues = ["matched", "unmatched", "all"]
    assert.deepEqual(await reached(client, "e", "none", queues, { headers }), ["matched"])
    assert.deepEqual(await reached(client, "amq.fanout", "x", queues, { headers }), ["all"])
  },
)

wireTest("CC is delivered, BCC is not, and nothing else is changed", async (wire) => {
  const client = await wire.channel()
  for (const queue of ["a", "b", "c"]) await declare(client, queue)
  const properties = {
    contentType: "text/plain",
    headers: table({ first: 1, BCC: ["c"], CC: ["b"], last: "x" }),
    deliveryMode: 1,
    messageId: "m-1",
  }
  await publishAndWait(client, { routingKey: "a", properties, body: text("hello") })
  for (const queue of ["a", "b", "c"]) {
    const message = await get(client, queue)
    assert.ok(message !== null)
    assert.deepEqual([message.exchange, message.routingKey], ["", "a"])
    assert.deepEqual(message.properties, {
      ...properties,
      headers: table({ first: 1, CC: ["b"], last: "x" }),
    })
    assert.equal(message.body.toString(), "hello")
  }
})

wireTest("a message that came in pieces is treated alike", async (wire) => {
  const client = await wire.channel()
  for (const queue of ["a", "b"]) await declare(client, queue)
  const body = Buffer.alloc(400_000, "L")
  const properties = { headers: table({ BCC: ["b"] }) }
  await publishAndWait(client, { routingKey: "a", properties, body })
  for (const queue of ["a", "b"]) {
    const message = await get(client, queue)
    assert.ok(message !== null && message.body.equals(body))
    assert.deepEqual(message.properties, { headers: table({}) })
  }
})

wireTest("elements that are no strings do not count", async (wire) => {
  const client = await wire.channel()
  for (const queue of QUEUES) await declare(client, queue)
  const headers = new Map<string, FieldValue>([["CC", [true, "b", null, ["c"]]]])
  assert.deepEqual(await reached(client, "", "a", QUEUES, { headers }), ["a", "b"])
})

wireTest("a header that is no array closes the channel with 406", async (wire) => {
  const client = await wire.channel()
  await declare(client, "a")
  for (const [headers, term] of [
    [{ CC: "b" }, '"CC",longstr'],
    [{ BCC: "b" }, '"BCC",longstr'],
    [{ CC: 1 }, '"CC",signedint'],
    [{ BCC: null }, '"BCC",void'],
    [{ CC: { b: 1 } }, '"CC",table'],
  ] as const) {
    const properties = { headers: table(headers) }
    client.publish(1, { routingKey: "a", properties, body: text("m") })
    await refused(client, `invalid message: {unacceptable_type_in_header,${term}}`, "basic.publish")
  }
  assert.equal(await get(client, "a"), null)
})

wireTest("a message that reaches nobody is returned without BCC, then confirmed", async (wire) => {
  const client = await wire.channel()
  await client.call("confirm.select", 1)
  const properties = { headers: table({ CC: ["y"], BCC: ["z"] }) }
  client.publish(1, { routingKey: "x", mandatory: true, properties, body: text("m") })
  const returned = await client.expect("basic.return", 1)
  assert.deepEqual([returned.replyCode, returned.routingKey], [312, "x"])
  assert.deepEqual(returned.properties, { headers: table({ CC: ["y"] }) })
  await client.expect("basic.ack", 1)
  await declare(client, "z")
  client.publish(1, { routingKey: "x", mandatory: true, properties, body: text("m") })
  await client.expect("basic.ack", 1)
  assert.equal((await get(client, "z"))?.body.toString(), "m")
})

wireTest("a transaction routes by all keys at its commit", async (wire) => {
  const client = await wire.channel()
  for (const queue of ["a", "b"]) await declare(client, queue)
  await client.call("tx.select", 1)
  const properties = { headers: table({ BCC: ["b"] }) }
  client.publish(1, { routingKey: "a", properties, body: text("m") })
  assert.equal(await get(client, "b"), null)
  await client.call("tx.commit", 1)
  for (const queue of ["a", "b"])
    assert.deepEqual((await get(client, queue))?.properties, { headers: table({}) })
})
