/** RPC without a reply queue: amq.rabbitmq.reply-to. */
import assert from "node:assert/strict"
import { tableFromPlain } from "../../src/amqp/table.ts"
import type { WireClient } from "../support/wire-client.ts"
import { eventually } from "../support/eventually.ts"
import { consume, declare, get, text, wireTest } from "./harness.ts"

const PSEUDO = "amq.rabbitmq.reply-to"

/** Sends a request to the queue and gives the name that a responder sees. */
async function request(
  client: WireClient,
  queue: string,
  options: { channel?: number; replyTo?: string; correlationId?: string } = {},
): Promise<string> {
  const { channel = 1, replyTo = PSEUDO, correlationId = "1" } = options
  const properties = { replyTo, correlationId, headers: new Map(), appId: "app" }
  client.publish(channel, { routingKey: queue, properties, body: text("request") })
  await client.call("channel.flow", channel, { active: true })
  const message = await get(client, queue, { channel })
  assert.ok(message)
  assert.equal(message.body.toString(), "request")
  assert.deepEqual(
    { ...message.properties, replyTo: "" },
    { correlationId, headers: new Map(), appId: "app", replyTo: "" },
  )
  return message.properties.replyTo ?? ""
}

function reply(client: WireClient, name: string, body: string, channel = 1): void {
  client.publish(channel, {
    routingKey: name,
    properties: { correlationId: "1" },
    body: text(body),
  })
}

for (const pseudo of [PSEUDO, "amq.direct.reply-to"])
  wireTest(`a request is answered on the channel that sent it (${pseudo})`, async (wire) => {
    const requester = await wire.channel()
    const responder = await wire.channel()
    await declare(requester, "rpc")
    const tag = await consume(requester, pseudo, { noAck: true, consumerTag: "mine" })
    assert.equal(tag, "mine")
    const name = await request(requester, "rpc", { replyTo: pseudo })
    assert.match(name, /^amq\.rabbitmq\.reply-to\.[\w-]{22}\.[\w-]{22}==$/)
    reply(responder, name, "one")
    reply(responder, name, "two")
    for (const [index, body] of ["one", "two"].entries()) {
      const delivery = await requester.expect("basic.deliver", 1)
      assert.equal(delivery.body.toString(), body)
      assert.equal(delivery.consumerTag, "mine")
      assert.equal(delivery.redelivered, false)
      assert.deepEqual([delivery.exchange, delivery.routingKey], ["", name])
      assert.deepEqual(delivery.properties, { correlationId: "1" })
      assert.equal(delivery.deliveryTag, index + 2) // After the get in request().
    }
  })

wireTest("a large reply arrives whole, and one without a body too", async (wire) => {
  const client = await wire.channel()
  await declare(client, "rpc")
  await consume(client, PSEUDO, { noAck: true })
  const name = await request(client, "rpc")
  const large = "x".repeat(300_000)
  for (const body of [large, ""]) {
    reply(client, name, body)
    assert.equal((await client.expect("basic.deliver", 1)).body.toString(), body)
  }
})

wireTest("the names of two channels are two, and both get their own", async (wire) => {
  const client = await wire.channel(2)
  await declare(client, "rpc")
  const names: string[] = []
  for (const channel of [1, 2]) {
    await consume(client, PSEUDO, { channel, noAck: true })
    names.push(await request(client, "rpc", { channel }))
  }
  assert.notEqual(names[0], names[1])
  reply(client, names[1]!, "for two")
  assert.equal((await client.expect("basic.deliver", 2)).body.toString(), "for two")
  await client.expectQuiet(1)
})

wireTest("a consumer that would acknowledge is refused with 406", async (wire) => {
  const client = await wire.channel()
  client.send("basic.consume", 1, { queue: PSEUDO, noAck: false })
  await client.expectChannelClose(1, {
    code: 406,
    text: "PRECONDITION_FAILED - reply consumer cannot acknowledge",
    method: "basic.consume",
  })
})

wireTest("a second consumer is refused with 406", async (wire) => {
  const client = await wire.channel()
  await consume(client, PSEUDO, { noAck: true })
  client.send("basic.consume", 1, { queue: PSEUDO, noAck: true })
  await client.expectChannelClose(1, {
    code: 406,
    text: "PRECONDITION_FAILED - reply consumer already set",
    method: "basic.consume",
  })
})

wireTest("a tag in use closes the connection with 530, in both directions", async (wire) => {
  for (const queues of [
    ["q", PSEUDO],
    [PSEUDO, "q"],
    [PSEUDO, PSEUDO],
  ] as const) {
    const client = await wire.channel()
    await declare(client, "q")
    await consume(client, queues[0], { noAck: true, consumerTag: "t" })
    client.send("basic.consume", 1, { queue: queues[1], noAck: true, consumerTag: "t" })
    await client.expectConnectionClose({
      code: 530,
      text: "NOT_ALLOWED - attempt to reuse consumer tag 't'",
      method: "basic.consume",
    })
  }
})

wireTest("a request without a consumer is refused with 406", async (wire) => {
  const client = await wire.channel()
  await declare(client, "rpc")
  client.publish(1, { routingKey: "rpc", properties: { replyTo: PSEUDO }, body: text("x") })
  await client.expectChannelClose(1, {
    code: 406,
    text: "PRECONDITION_FAILED - fast reply consumer does not exist",
    method: "basic.publish",
  })
  await client.openChannel(1)
  assert.equal(await get(client, "rpc"), null)
})

wireTest("after a cancel there is no consumer, and it may be set up again", async (wire) => {
  const client = await wire.channel()
  await declare(client, "rpc")
  const tag = await consume(client, PSEUDO, { noAck: true })
  const name = await request(client, "rpc")
  await client.call("basic.cancel", 1, { consumerTag: tag })
  client.publish(1, { routingKey: name, mandatory: true, body: text("late") })
  assert.equal((await client.expect("basic.return", 1)).replyText, "NO_ROUTE")
  await consume(client, PSEUDO, { noAck: true, consumerTag: tag })
  const next = await request(client, "rpc")
  assert.notEqual(next, name)
  reply(client, next, "again")
  assert.equal((await client.expect("basic.deliver", 1)).body.toString(), "again")
})

wireTest("a reply to a requester that is gone is unroutable, and confirmed", async (wire) => {
  const requester = await wire.channel(2)
  const responder = await wire.channel()
  await declare(requester, "rpc")
  await consume(requester, PSEUDO, { noAck: true })
  const byChannel = await request(requester, "rpc")
  await consume(requester, PSEUDO, { channel: 2, noAck: true })
  const byConnection = await request(requester, "rpc", { channel: 2 })
  await responder.call("confirm.select", 1)
  responder.publish(1, { routingKey: byChannel, mandatory: true, body: text("alive") })
  assert.equal((await requester.expect("basic.deliver", 1)).body.toString(), "alive")
  assert.equal((await responder.expect("basic.ack", 1)).deliveryTag, 1)
  await requester.call("channel.close", 1, { replyCode: 200 })
  responder.publish(1, { routingKey: byChannel, mandatory: true, body: text("late") })
  const returned = await responder.expect("basic.return", 1)
  assert.deepEqual(
    [returned.replyCode, returned.replyText, returned.exchange, returned.routingKey],
    [312, "NO_ROUTE", "", byChannel],
  )
  assert.equal((await responder.expect("basic.ack", 1)).deliveryTag, 2)
  await requester.close()
  responder.publish(1, { routingKey: byConnection, body: text("late") })
  assert.equal((await responder.expect("basic.ack", 1)).deliveryTag, 3)
  responder.publish(1, { routingKey: `${PSEUDO}.nobody`, mandatory: true, body: text("lost") })
  assert.equal((await responder.expect("basic.return", 1)).body.toString(), "lost")
})

wireTest("CC may name requesters and queues together", async (wire) => {
  const client = await wire.channel(2)
  await declare(client, "rpc")
  await declare(client, "copy")
  const names: string[] = []
  for (const channel of [1, 2]) {
    await consume(client, PSEUDO, { channel, noAck: true })
    names.push(await request(client, "rpc", { channel }))
  }
  const headers = tableFromPlain({ CC: [names[1]!, "copy"], BCC: ["nobody"] })
  client.publish(1, {
    routingKey: names[0]!,
    mandatory: true,
    properties: { headers },
    body: text("x"),
  })
  for (const channel of [1, 2]) {
    const { body, properties, routingKey } = await client.expect("basic.deliver", channel)
    assert.equal(body.toString(), "x")
    assert.equal(routingKey, names[0])
    assert.deepEqual([...properties.headers!.keys()], ["CC"])
  }
  assert.equal((await get(client, "copy"))?.body.toString(), "x")
})

wireTest("replies go over the default exchange only", async (wire) => {
  const client = await wire.channel()
  await declare(client, "rpc")
  await consume(client, PSEUDO, { noAck: true })
  const name = await request(client, "rpc")
  client.publish(1, { exchange: "amq.direct", routingKey: name, mandatory: true, body: text("x") })
  assert.equal((await client.expect("basic.return", 1)).replyText, "NO_ROUTE")
})

wireTest("declaring tells whether the requester is there, actively or not", async (wire) => {
  const requester = await wire.channel()
  await declare(requester, "rpc")
  await consume(requester, PSEUDO, { noAck: true })
  const name = await request(requester, "rpc")
  const other = await wire.channel()
  for (const passive of [true, false])
    for (const queue of [PSEUDO, "amq.direct.reply-to", name]) {
      const declared = await other.call("queue.declare", 1, { queue, passive })
      assert.deepEqual(
        [declared.queue, declared.messageCount, declared.consumerCount],
        [queue, 0, 1],
      )
    }
  await requester.close()
  for (const passive of [true, false])
    for (const queue of [name, `${PSEUDO}x`]) {
      other.send("queue.declare", 1, { queue, passive })
      await other.expectChannelClose(1, {
        code: 404,
        text: `NOT_FOUND - no queue '${queue}' in vhost '/'`,
        method: "queue.declare",
      })
      await other.openChannel(1)
    }
})

wireTest("the pseudo queue cannot be bound, got from or purged", async (wire) => {
  const client = await wire.channel()
  const gone = { code: 404, text: `NOT_FOUND - no queue '${PSEUDO}' in vhost '/'` } as const
  client.send("basic.get", 1, { queue: PSEUDO, noAck: true })
  await client.expectChannelClose(1, { ...gone, method: "basic.get" })
  await client.openChannel(1)
  client.send("queue.bind", 1, { queue: PSEUDO, exchange: "amq.direct", routingKey: "k" })
  await client.expectChannelClose(1, { ...gone, method: "queue.bind" })
  await client.openChannel(1)
  client.send("queue.purge", 1, { queue: PSEUDO })
  await client.expectChannelClose(1, { ...gone, method: "queue.purge" })
})

wireTest("requests and replies of a transaction go at its commit", async (wire) => {
  const client = await wire.channel(2)
  await declare(client, "rpc")
  await consume(client, PSEUDO, { noAck: true })
  const name = await request(client, "rpc")
  await client.call("tx.select", 2)
  reply(client, name, "committed", 2)
  await client.expectQuiet(1)
  await client.call("tx.commit", 2)
  assert.equal((await client.expect("basic.deliver", 1)).body.toString(), "committed")
})

wireTest(
  "a requester that does not read loses replies, and the responder is told",
  async (wire) => {
    const requester = await wire.channel()
    const responder = await wire.channel()
    await declare(requester, "rpc")
    await consume(requester, PSEUDO, { noAck: true })
    const name = await request(requester, "rpc")
    requester.pause()
    const body = Buffer.alloc(4 << 20)
    await responder.call("confirm.select", 1)
    let returned = false
    for (let i = 1; i <= 24 && !returned; i++) {
      responder.publish(1, { routingKey: name, mandatory: true, body })
      const answer = await responder.next(1)
      returned = answer.name === "basic.return"
    }
    assert.ok(returned, "96 MiB were kept for a client that reads nothing")
    requester.resume()
    await eventually(async () => {
      responder.publish(1, { routingKey: name, mandatory: true, body: text("reads again") })
      for (;;) {
        const answer = await responder.next(1)
        assert.notEqual(answer.name, "basic.return")
        if (answer.name === "basic.ack") break
      }
    })
  },
)

wireTest("a requester may be its own responder, as often as it likes", async (wire) => {
  const client = await wire.channel()
  await declare(client, "rpc")
  await consume(client, PSEUDO, { noAck: true })
  const name = await request(client, "rpc")
  for (let i = 0; i < 200; i++) reply(client, name, String(i))
  for (let i = 0; i < 200; i++)
    assert.equal((await client.expect("basic.deliver", 1)).body.toString(), String(i))
})

wireTest("direct_reply_to is announced", async (wire) => {
  const client = await wire.connect()
  client.sendHeader()
  const { serverProperties } = await client.expect("connection.start")
  const capabilities = serverProperties.get("capabilities")
  assert.ok(capabilities instanceof Map)
  assert.equal(capabilities.get("direct_reply_to"), true)
})
