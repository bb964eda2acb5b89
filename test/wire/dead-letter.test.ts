/** Dead letters: reasons, x-death, routing keys, cycles, and what is not dead-lettered. */
import assert from "node:assert/strict"
import { tableToPlain, toPlain, type PlainRecord, type PlainValue } from "../../src/amqp/table.ts"
import type { ReceivedMethod, WireClient } from "../support/wire-client.ts"
import { eventually } from "../support/eventually.ts"
import {
  consume,
  countsOf,
  declare,
  drain,
  get,
  publishAndWait,
  publishTo,
  receiveBodies,
  table,
  text,
  wireTest,
} from "./harness.ts"

type Got = ReceivedMethod<"basic.get-ok">

/** The dead letter, once it has come. */
async function arrived(client: WireClient, queue: string): Promise<Got> {
  return eventually(async () => {
    const message = await get(client, queue)
    assert.ok(message !== null, `nothing in ${queue}`)
    return message
  })
}

function headersOf(message: Got): PlainRecord {
  return tableToPlain(message.properties.headers ?? new Map())
}

function deathsOf(message: Got): PlainRecord[] {
  const deaths = headersOf(message)["x-death"]
  assert.ok(Array.isArray(deaths))
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- an array of tables, or a test fails
  return (deaths as readonly PlainValue[]).map((death) => Object.assign({}, death as PlainRecord))
}

/** Declares `source` with the dead letter queue `dead` behind the default exchange. */
async function declareBoth(client: WireClient, args: PlainRecord = {}): Promise<void> {
  await declare(client, "dead")
  await declare(client, "source", {
    arguments: { "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead", ...args },
  })
}

/** Gets a message and rejects it. */
async function reject(client: WireClient, queue: string, requeue = false): Promise<void> {
  const message = await get(client, queue, { noAck: false })
  assert.ok(message !== null, `nothing to reject in ${queue}`)
  client.send("basic.reject", 1, { deliveryTag: message.deliveryTag, requeue })
}

wireTest("a rejected message goes to the dead letter exchange with its history", async (wire) => {
  const client = await wire.channel()
  await declareBoth(client)
  await publishAndWait(client, {
    routingKey: "source",
    body: text("m"),
    properties: { contentType: "text/plain", messageId: "7", headers: table({ mine: 1 }) },
  })
  await reject(client, "source")
  const message = await arrived(client, "dead")
  assert.equal(message.body.toString(), "m")
  assert.equal(message.exchange, "")
  assert.equal(message.routingKey, "dead")
  assert.equal(message.properties.contentType, "text/plain")
  assert.equal(message.properties.messageId, "7")
  const { time, ...death } = deathsOf(message)[0]!
  assert.ok(typeof time === "number" && time > 1_600_000_000)
  assert.deepEqual(death, {
    count: 1,
    reason: "rejected",
    queue: "source",
    exchange: "",
    "routing-keys": ["source"],
  })
  const { mine, ...headers } = headersOf(message)
  assert.equal(mine, 1)
  for (const which of ["first", "last"])
    for (const [field, value] of [
      ["reason", "rejected"],
      ["queue", "source"],
      ["exchange", ""],
    ] as const)
      assert.equal(headers[`x-${which}-death-${field}`], value)
})

wireTest(
  "nack without requeue dead-letters all that it covers, with requeue none",
  async (wire) => {
    const client = await wire.channel()
    await declareBoth(client)
    publishTo(client, "source", "1", "2", "3")
    let tag = 0n
    for (let i = 0; i < 3; i++)
      tag = BigInt((await get(client, "source", { noAck: false }))!.deliveryTag)
    client.send("basic.nack", 1, { deliveryTag: Number(tag), multiple: true, requeue: true })
    assert.equal((await countsOf(client, "source")).messages, 3)
    assert.equal((await countsOf(client, "dead")).messages, 0)
    for (let i = 0; i < 3; i++)
      tag = BigInt((await get(client, "source", { noAck: false }))!.deliveryTag)
    client.send("basic.nack", 1, { deliveryTag: Number(tag), multiple: true, requeue: false })
    const bodies: string[] = []
    for (let i = 0; i < 3; i++) bodies.push((await arrived(client, "dead")).body.toString())
    assert.deepEqual(bodies, ["1", "2", "3"])
    assert.equal((await countsOf(client, "source")).messages, 0)
  },
)

wireTest("the same death again is counted, another one comes in front", async (wire) => {
  const client = await wire.channel()
  await declare(client, "a", {
    arguments: { "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "b" },
  })
  await declare(client, "b", {
    arguments: { "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "a" },
  })
  publishTo(client, "a", "m")
  for (let round = 0; round < 2; round++)
    for (const queue of ["a", "b"])
      await eventually(async () => {
        const message = await get(client, queue, { noAck: false })
        assert.ok(message !== null)
        client.send("basic.reject", 1, { deliveryTag: message.deliveryTag, requeue: false })
      })
  const deaths = deathsOf(await arrived(client, "a"))
  assert.deepEqual(
    deaths.map(({ queue, count, reason }) => [queue, count, reason]),
    [
      ["b", 2, "rejected"],
      ["a", 2, "rejected"],
    ],
  )
})

wireTest("without a key of its own the dead letter keeps its keys, CC included", async (wire) => {
  const client = await wire.channel()
  await client.call("exchange.declare", 1, { exchange: "dlx", type: "direct" })
  for (const key of ["source", "copy", "blind"]) {
    await declare(client, `dead.${key}`)
    await client.call("queue.bind", 1, { queue: `dead.${key}`, exchange: "dlx", routingKey: key })
  }
  await declare(client, "source", { arguments: { "x-dead-letter-exchange": "dlx" } })
  await publishAndWait(client, {
    routingKey: "source",
    body: text("m"),
    properties: { headers: table({ CC: ["copy"] }) },
  })
  await reject(client, "source")
  const message = await arrived(client, "dead.source")
  assert.deepEqual(deathsOf(message)[0]!["routing-keys"], ["source", "copy"])
  assert.deepEqual(headersOf(message)["CC"], ["copy"])
  assert.equal(message.exchange, "dlx")
  assert.equal(message.routingKey, "source")
  await arrived(client, "dead.copy")
  assert.equal((await countsOf(client, "dead.blind")).messages, 0)
})

wireTest("a key of its own replaces all keys", async (wire) => {
  const client = await wire.channel()
  await client.call("exchange.declare", 1, { exchange: "dlx", type: "topic" })
  await declare(client, "dead")
  await client.call("queue.bind", 1, { queue: "dead", exchange: "dlx", routingKey: "#" })
  await declare(client, "source", {
    arguments: { "x-dead-letter-exchange": "dlx", "x-dead-letter-routing-key": "gone" },
  })
  await publishAndWait(client, {
    routingKey: "source",
    properties: { headers: table({ CC: ["copy"] }) },
    body: text("m"),
  })
  await reject(client, "source")
  assert.equal((await arrived(client, "dead")).routingKey, "gone")
  assert.equal((await countsOf(client, "dead")).messages, 0)
})

wireTest("without the exchange the message is gone; declared later it is used", async (wire) => {
  const client = await wire.channel()
  await declare(client, "source", { arguments: { "x-dead-letter-exchange": "later" } })
  publishTo(client, "source", "1", "2")
  await reject(client, "source")
  await client.call("exchange.declare", 1, { exchange: "later", type: "fanout" })
  await declare(client, "dead")
  await client.call("queue.bind", 1, { queue: "dead", exchange: "later", routingKey: "" })
  await reject(client, "source")
  assert.equal((await arrived(client, "dead")).body.toString(), "2")
  assert.deepEqual(await countsOf(client, "source"), { messages: 0, consumers: 0 })
})

wireTest(
  "an alternate exchange of the dead letter exchange gets what matches nothing",
  async (wire) => {
    const client = await wire.channel()
    await client.call("exchange.declare", 1, { exchange: "ae", type: "fanout" })
    await client.call("exchange.declare", 1, {
      exchange: "dlx",
      type: "direct",
      arguments: table({ "alternate-exchange": "ae" }),
    })
    await declare(client, "dead")
    await client.call("queue.bind", 1, { queue: "dead", exchange: "ae", routingKey: "" })
    await declare(client, "source", { arguments: { "x-dead-letter-exchange": "dlx" } })
    publishTo(client, "source", "m")
    await reject(client, "source")
    assert.equal((await arrived(client, "dead")).exchange, "dlx")
  },
)

wireTest(
  "a message may be dead-lettered to its own queue by rejection, not by expiry or length",
  async (wire) => {
    const client = await wire.channel()
    const args = { "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "self" }
    await declare(client, "self", { arguments: { ...args, "x-max-length": 1 } })
    publishTo(client, "self", "1")
    await reject(client, "self")
    const message = await eventually(async () => {
      const found = await get(client, "self")
      assert.ok(found !== null)
      return found
    })
    assert.equal(deathsOf(message)[0]!["queue"], "self")
    publishTo(client, "self", "2", "3")
    assert.equal((await countsOf(client, "self")).messages, 1)
    assert.equal((await arrived(client, "self")).body.toString(), "3")
    assert.equal((await countsOf(client, "self")).messages, 0)
  },
)

wireTest("a circle of expiring queues ends", async (wire) => {
  const client = await wire.channel()
  for (const [queue, next] of [
    ["a", "b"],
    ["b", "c"],
    ["c", "a"],
  ] as const)
    await declare(client, queue, {
      arguments: {
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": next,
        "x-message-ttl": 1,
      },
    })
  publishTo(client, "a", "m")
  await eventually(async () => {
    for (const queue of ["a", "b", "c"]) assert.equal((await countsOf(client, queue)).messages, 0)
  })
})

wireTest("a long chain of queues that may hold nothing is walked to its end", async (wire) => {
  const client = await wire.channel()
  const length = 300
  for (let i = 0; i < length; i++)
    client.send("queue.declare", 1, {
      queue: `chain.${String(i)}`,
      nowait: true,
      arguments: table({
        "x-max-length": 0,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": `chain.${String(i + 1)}`,
      }),
    })
  await declare(client, `chain.${String(length)}`)
  publishTo(client, "chain.0", "m")
  const message = await arrived(client, `chain.${String(length)}`)
  const deaths = deathsOf(message)
  assert.equal(deaths.length, length)
  assert.equal(deaths[0]!["queue"], `chain.${String(length - 1)}`)
  assert.equal(headersOf(message)["x-first-death-queue"], "chain.0")
})

wireTest("expiration is taken off and noted", async (wire) => {
  const client = await wire.channel()
  await declareBoth(client)
  await publishAndWait(client, {
    routingKey: "source",
    properties: { expiration: "1", deliveryMode: 2, messageId: "id" },
    body: text("m"),
  })
  const message = await arrived(client, "dead")
  assert.equal(message.properties.expiration, undefined)
  assert.equal(message.properties.deliveryMode, 2)
  assert.equal(message.properties.messageId, "id")
  assert.equal(deathsOf(message)[0]!["reason"], "expired")
  assert.equal(deathsOf(message)[0]!["original-expiration"], "1")
})

wireTest("purging and deleting a queue dead-letters nothing", async (wire) => {
  const client = await wire.channel()
  await declareBoth(client)
  publishTo(client, "source", "1", "2")
  await client.call("queue.purge", 1, { queue: "source" })
  publishTo(client, "source", "3")
  await client.call("queue.delete", 1, { queue: "source" })
  assert.equal((await countsOf(client, "dead")).messages, 0)
})

wireTest("an x-death that makes no sense does no harm", async (wire) => {
  const client = await wire.channel()
  await declareBoth(client)
  for (const nonsense of ["x", 1, [1, "x"], [{ queue: "source", reason: "rejected", count: "x" }]])
    await publishAndWait(client, {
      routingKey: "source",
      properties: { headers: table({ "x-death": nonsense }) },
      body: text("m"),
    })
  for (let i = 0; i < 4; i++) {
    await reject(client, "source")
    assert.equal(deathsOf(await arrived(client, "dead"))[0]!["count"], 1)
  }
})

wireTest("many messages that die alike are alike but for their bodies", async (wire) => {
  const client = await wire.channel()
  await declareBoth(client, { "x-max-length": 1 })
  const count = 500
  for (let i = 0; i <= count; i++)
    client.publish(1, {
      routingKey: "source",
      properties: i % 2 === 0 ? { deliveryMode: 1, contentType: "a/b" } : {},
      body: text(String(i)),
    })
  await eventually(async () => {
    assert.equal((await countsOf(client, "dead")).messages, count)
  })
  for (let i = 0; i < count; i++) {
    const message = await get(client, "dead")
    assert.equal(message!.body.toString(), String(i))
    assert.equal(message!.properties.contentType, i % 2 === 0 ? "a/b" : undefined)
    const deaths = deathsOf(message!)
    assert.equal(deaths.length, 1)
    assert.equal(deaths[0]!["reason"], "maxlen")
  }
})

wireTest("a headers exchange routes dead letters by the death", async (wire) => {
  const client = await wire.channel()
  await client.call("exchange.declare", 1, { exchange: "dlx", type: "headers" })
  for (const reason of ["rejected", "maxlen"]) {
    await declare(client, `dead.${reason}`)
    await client.call("queue.bind", 1, {
      queue: `dead.${reason}`,
      exchange: "dlx",
      arguments: table({ "x-match": "all-with-x", "x-first-death-reason": reason }),
    })
  }
  await declare(client, "source", {
    arguments: { "x-dead-letter-exchange": "dlx", "x-max-length": 1 },
  })
  publishTo(client, "source", "1", "2")
  await arrived(client, "dead.maxlen")
  await reject(client, "source")
  assert.equal(toPlain((await arrived(client, "dead.rejected")).body.toString()), "2")
})

wireTest("what one frame rejects is moved over several turns, in order", async (wire) => {
  const client = await wire.channel(2)
  await declareBoth(client)
  const bodies = Array.from({ length: 3000 }, (_, i) => String(i))
  publishTo(client, "source", ...bodies)
  await consume(client, "source", { channel: 2 })
  await receiveBodies(client, bodies.length, 2)
  client.send("basic.nack", 2, { deliveryTag: 0, multiple: true, requeue: false })
  publishTo(client, "source", "later")
  assert.deepEqual(await receiveBodies(client, 1, 2), ["later"])
  await eventually(async () => {
    assert.equal((await countsOf(client, "dead")).messages, bodies.length)
  })
  assert.equal(wire.vhost.queues.get("source")!.unackedCount, 1)
  assert.deepEqual(await drain(client, "dead"), bodies)
})
