import assert from "node:assert/strict"
import type { BasicProperties } from "../../src/amqp/properties.ts"
import { encodeProperties } from "../../src/amqp/properties.ts"
import {
  ByteArray,
  Decimal,
  Timestamp,
  TypedNumber,
  type FieldValue,
} from "../../src/amqp/table.ts"
import {
  consume,
  countsOf,
  declare,
  deliveries,
  get,
  publishAndWait,
  publishTo,
  text,
  wireTest,
} from "./harness.ts"

wireTest("publishing to an unknown exchange closes the channel with 404", async (wire) => {
  const client = await wire.channel()
  client.publish(1, { exchange: "nope", body: text("x") })
  await client.expectChannelClose(1, {
    code: 404,
    text: "NOT_FOUND - no exchange 'nope' in vhost '/'",
    method: "basic.publish",
  })
})

wireTest("a mandatory message without a queue comes back as it was sent", async (wire) => {
  const client = await wire.channel()
  const properties: BasicProperties = { contentType: "text/plain", deliveryMode: 2, priority: 3 }
  const body = Buffer.alloc(200_000, "r")
  for (const exchange of ["", "amq.topic"]) {
    client.publish(1, { exchange, routingKey: "none", mandatory: true, properties, body })
    const returned = await client.expect("basic.return", 1)
    assert.equal(returned.replyCode, 312)
    assert.equal(returned.replyText, "NO_ROUTE")
    assert.deepEqual([returned.exchange, returned.routingKey], [exchange, "none"])
    assert.deepEqual(returned.properties, properties)
    assert.ok(returned.body.equals(body))
  }
})

wireTest("a mandatory message with a queue does not come back", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  client.publish(1, { routingKey: "q", mandatory: true, body: text("x") })
  await client.expectQuiet(1)
  assert.equal((await countsOf(client, "q")).messages, 1)
})

wireTest("an unroutable message that is not mandatory is dropped silently", async (wire) => {
  const client = await wire.channel()
  client.publish(1, { routingKey: "none", body: text("x") })
  await client.expectQuiet(1)
})

wireTest("immediate closes the connection with 540", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  client.publish(1, { routingKey: "q", immediate: true, body: text("x") })
  await client.expectConnectionClose({
    code: 540,
    text: "NOT_IMPLEMENTED - immediate=true",
    method: "basic.publish",
  })
})

const ALL: BasicProperties = {
  contentType: "text/plain",
  contentEncoding: "utf-8",
  headers: new Map<string, FieldValue>([
    ["bool", true],
    ["i8", new TypedNumber("b", -128)],
    ["u8", new TypedNumber("B", 255)],
    ["i16", new TypedNumber("s", -32768)],
    ["u16", new TypedNumber("u", 65535)],
    ["i32", new TypedNumber("I", -2147483648)],
    ["u32", new TypedNumber("i", 4294967295)],
    ["i64", new TypedNumber("l", -(1n << 63n))],
    ["long", new TypedNumber("L", (1n << 53n) + 1n)],
    ["float", new TypedNumber("f", Infinity)],
    ["double", new TypedNumber("d", NaN)],
    ["minus zero", new TypedNumber("d", -0)],
    ["decimal", new Decimal(255, 4294967295)],
    ["string", "é"],
    ["bytes", new ByteArray(Buffer.from([0, 255]))],
    ["no text", Buffer.from([0xff, 0xfe])],
    ["array", [new TypedNumber("l", 1n), "a", null, []]],
    ["table", new Map([["nested", new Map([["__proto__", "x"]])]])],
    ["time", new Timestamp((1n << 64n) - 1n)],
    ["void", null],
    ["", "empty key"],
  ]),
  deliveryMode: 2,
  priority: 255,
  correlationId: "c".repeat(255),
  replyTo: "reply",
  expiration: "60000",
  messageId: "id",
  timestamp: (1n << 63n) + 5n,
  type: "type",
  userId: "guest",
  appId: "app",
  clusterId: "cluster",
}

wireTest("all properties and all field types arrive byte for byte", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  await consume(client, "q", { noAck: true })
  for (const properties of [
    ALL,
    {},
    { deliveryMode: 1 },
    ...Object.entries(ALL).map(([name, value]) => ({ [name]: value })),
  ]) {
    client.publish(1, { routingKey: "q", properties, body: text("x") })
    const [delivery] = await deliveries(client, 1)
    assert.deepEqual(delivery?.propertyBytes, encodeProperties(properties))
  }
})

const BAD_EXPIRATIONS = [
  "",
  "abc",
  "-1",
  "1.5",
  "10x",
  " 10",
  "1e3",
  "0x10",
  "315360000001",
  "9".repeat(30),
]

wireTest("a bad expiration is refused with 406", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  for (const expiration of BAD_EXPIRATIONS) {
    client.publish(1, { routingKey: "q", properties: { expiration }, body: text("x") })
    const close = await client.expect("channel.close", 1)
    assert.equal(close.replyCode, 406, expiration)
    const prefix = `PRECONDITION_FAILED - invalid expiration '${expiration}'`
    assert.equal(close.replyText.slice(0, prefix.length), prefix)
    assert.deepEqual([close.classId, close.methodId], [60, 40])
    client.send("channel.close-ok", 1)
    await client.openChannel(1)
  }
  assert.equal((await countsOf(client, "q")).messages, 0)
})

wireTest("the longest expiration is accepted", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  await publishAndWait(client, { routingKey: "q", properties: { expiration: "315360000000" } })
  assert.equal((await countsOf(client, "q")).messages, 1)
})

wireTest("a user-id must be the authenticated user's", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  await publishAndWait(client, { routingKey: "q", properties: { userId: "guest" } })
  client.publish(1, { routingKey: "q", properties: { userId: "somebody" } })
  await client.expectChannelClose(1, {
    code: 406,
    text: "PRECONDITION_FAILED - user_id property set to 'somebody' but authenticated user was 'guest'",
    method: "basic.publish",
  })
})

wireTest(
  "the content of a refused publish is swallowed, and the number can be used again",
  async (wire) => {
    const client = await wire.channel()
    await declare(client, "q")
    client.publish(1, { exchange: "nope", body: Buffer.alloc(300_000) })
    publishTo(client, "q", "dropped")
    await client.expectChannelClose(1, { code: 404 })
    await client.openChannel(1)
    publishTo(client, "q", "kept")
    assert.equal((await get(client, "q"))?.body.toString(), "kept")
  },
)

wireTest("one publish to many queues stores one copy in each", async (wire) => {
  const client = await wire.channel()
  const queues = Array.from({ length: 50 }, (_, i) => `q${i}`)
  for (const queue of queues) {
    await declare(client, queue)
    await client.call("queue.bind", 1, { queue, exchange: "amq.fanout" })
  }
  for (const body of [text("small"), Buffer.alloc(200_000, "large")]) {
    await publishAndWait(client, { exchange: "amq.fanout", body })
    for (const queue of queues) assert.ok((await get(client, queue))?.body.equals(body))
  }
})

wireTest("many small messages keep their order", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  const count = 20_000
  for (let i = 0; i < count; i++) publishTo(client, "q", String(i))
  await consume(client, "q", { noAck: true })
  for (let i = 0; i < count; i++) {
    const [delivery] = await deliveries(client, 1)
    assert.equal(delivery?.body.toString(), String(i))
  }
})
