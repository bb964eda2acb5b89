/** The broker through amqplib, the client that most Node programs use. */
import assert from "node:assert/strict"
import { once } from "node:events"
import { after, afterEach, before, beforeEach, describe, test } from "node:test"
import { connect, credentials } from "amqplib"
import type { Channel, ChannelModel, ConfirmChannel, ConsumeMessage, GetMessage } from "amqplib"
import { startBroker } from "../../src/server/start-broker.ts"
import type { RunningBroker } from "../../src/server/start-broker.ts"
import { eventually, within } from "../support/eventually.ts"
import { Inbox } from "../support/inbox.ts"

let broker: RunningBroker
let url: string
let connection: ChannelModel
let channel: ConfirmChannel

before(async () => {
  broker = await startBroker({ amqp: { host: "127.0.0.1", port: 0 } })
  url = `amqp://guest:guest@127.0.0.1:${String(broker.amqpPort)}`
})
after(() => broker.close())
beforeEach(async () => {
  connection = await connect(url)
  connection.on("error", () => {})
  channel = await connection.createConfirmChannel()
  channel.on("error", () => {})
})
afterEach(async () => {
  await connection.close().catch(() => {}) // Some tests have closed it already.
})

function text(message: { readonly content: Buffer } | false | null): string {
  assert.ok(message, "no message")
  return message.content.toString()
}

async function get(queue: string): Promise<GetMessage> {
  const message = await channel.get(queue)
  assert.ok(message, "the queue is empty")
  return message
}

async function exclusiveQueue(): Promise<string> {
  return (await channel.assertQueue("", { exclusive: true })).queue
}

async function consumeInto(
  source: Channel,
  queue: string,
  noAck = false,
): Promise<{ readonly inbox: Inbox<ConsumeMessage | null>; readonly tag: string }> {
  const inbox = new Inbox<ConsumeMessage | null>()
  const { consumerTag } = await source.consume(queue, inbox.push, { noAck })
  return { inbox, tag: consumerTag }
}

/** What the broker says when it closes the channel. */
async function channelError(failing: Channel): Promise<{ code: number; message: string }> {
  const [error]: { code: number; message: string }[] = await within(
    once(failing, "error"),
    "a channel error",
  )
  assert.ok(error)
  return error
}

describe("connecting", () => {
  test("the server introduces itself with the capabilities that clients look for", () => {
    const properties = connection.connection.serverProperties
    assert.equal(properties.product, "Sluice")
    for (const name of [
      "publisher_confirms",
      "exchange_exchange_bindings",
      "basic.nack",
      "consumer_cancel_notify",
      "connection.blocked",
      "per_consumer_qos",
      "direct_reply_to",
    ])
      assert.equal(Reflect.get(Object(properties.capabilities), name), true, name)
  })

  test("AMQPLAIN works as well as PLAIN", async () => {
    const second = await connect(url, { credentials: credentials.amqplain("guest", "guest") })
    await second.close()
  })

  test("a wrong password is refused with a reason", async () => {
    const wrong = url.replace("guest:guest", "guest:wrong")
    await assert.rejects(connect(wrong), /ACCESS[-_]REFUSED/i)
  })

  test("an unknown vhost is refused", async () => {
    await assert.rejects(connect(`${url}/nowhere`), /ConnectionClose|NOT_ALLOWED/)
  })

  test("many channels work side by side on one connection", async () => {
    const channels = await Promise.all(
      Array.from({ length: 200 }, () => connection.createChannel()),
    )
    const queues = await Promise.all(
      channels.map((one) => one.assertQueue("", { exclusive: true })),
    )
    assert.equal(new Set(queues.map(({ queue }) => queue)).size, 200)
    await Promise.all(channels.map((one) => one.close()))
  })
})

describe("publishing and consuming", () => {
  test("messages arrive in order with all their properties", async () => {
    const queue = await exclusiveQueue()
    const { inbox } = await consumeInto(channel, queue)
    const headers = {
      string: "text",
      integer: 42,
      negative: -1,
      large: 2 ** 40,
      fraction: 1.5,
      truth: true,
      nothing: null,
      list: ["a", 1, [2]],
      table: { inner: { deep: "x" } },
    }
    const properties = {
      contentType: "text/plain",
      contentEncoding: "utf-8",
      priority: 5,
      correlationId: "c-1",
      replyTo: "somewhere",
      messageId: "m-1",
      timestamp: 1_700_000_000,
      type: "greeting",
      userId: "guest",
      appId: "test",
    }
    channel.sendToQueue(queue, Buffer.from("first"), { ...properties, headers, persistent: true })
    for (let i = 0; i < 100; i++) channel.sendToQueue(queue, Buffer.from(String(i)))
    const [first, ...rest] = await inbox.take(101)
    assert.equal(text(first!), "first")
    const received: Record<string, unknown> = { ...first!.properties }
    for (const [name, value] of Object.entries(properties))
      assert.equal(received[name], value, name)
    assert.deepEqual(received["headers"], headers)
    assert.equal(received["deliveryMode"], 2)
    assert.equal(first!.fields.routingKey, queue)
    assert.equal(first!.fields.exchange, "")
    assert.equal(first!.fields.redelivered, false)
    assert.deepEqual(
      rest.map((message) => text(message)),
      Array.from({ length: 100 }, (_, i) => String(i)),
    )
  })

  for (const size of [0, 1, 4087, 131_064, 131_065, 1_000_000, 10_000_000])
    test(`a body of ${String(size)} bytes arrives unharmed`, async () => {
      const queue = await exclusiveQueue()
      const body = Buffer.alloc(size)
      for (let i = 0; i < size; i += 997) body[i] = i % 256
      channel.sendToQueue(queue, body)
      const { inbox } = await consumeInto(channel, queue, true)
      const message = await inbox.next()
      assert.ok(message!.content.equals(body))
    })

  test("two consumers share the messages of a queue", async () => {
    const queue = await exclusiveQueue()
    const counts = [0, 0]
    for (const index of [0, 1]) {
      const worker = await connection.createChannel()
      await worker.prefetch(1)
      await worker.consume(queue, (message) => {
        counts[index]!++
        worker.ack(message!)
      })
    }
    for (let i = 0; i < 100; i++) channel.sendToQueue(queue, Buffer.from("x"))
    await eventually(() => assert.equal(counts[0]! + counts[1]!, 100))
    assert.ok(counts[0]! > 10 && counts[1]! > 10, `shared as ${counts.join(" and ")}`)
  })

  test("an unroutable mandatory message comes back before its confirm", async () => {
    const events: string[] = []
    channel.on("return", (message) => {
      events.push(`returned ${text(message)}`)
    })
    channel.on("ack", () => {
      events.push("confirmed")
    })
    channel.publish("", "nobody", Buffer.from("lost"), { mandatory: true })
    await channel.waitForConfirms()
    assert.deepEqual(events, ["returned lost", "confirmed"])
  })

  test("cancelling ends the deliveries, and deleting the queue tells the consumer", async () => {
    const { queue } = await channel.assertQueue("", { durable: false })
    const first = await consumeInto(channel, queue)
    await channel.cancel(first.tag)
    channel.sendToQueue(queue, Buffer.from("for the second"))
    const second = await consumeInto(channel, queue)
    assert.equal(text(await second.inbox.next()), "for the second")
    assert.equal(first.inbox.items.length, 0)
    await channel.deleteQueue(queue)
    assert.equal(await second.inbox.next(), null, "consumer cancel notification")
  })
})

describe("confirms", () => {
  test("every message of a burst is confirmed once", async () => {
    const { queue } = await channel.assertQueue("confirmed", { durable: true })
    let confirmed = 0
    for (let i = 0; i < 5000; i++)
      channel.publish("", queue, Buffer.from(String(i)), { persistent: true }, (error) => {
        assert.equal(error, null)
        confirmed++
      })
    await within(channel.waitForConfirms(), "confirms")
    assert.equal(confirmed, 5000)
    const { messageCount } = await channel.checkQueue(queue)
    assert.equal(messageCount, 5000)
    assert.equal((await channel.deleteQueue(queue)).messageCount, 5000)
  })

  test("an unroutable message is confirmed too", async () => {
    channel.publish("amq.direct", "nobody", Buffer.from("x"))
    await within(channel.waitForConfirms(), "the confirm")
  })
})

describe("acknowledging", () => {
  test("unacknowledged messages return in their order when the channel closes", async () => {
    const queue = await exclusiveQueue()
    for (let i = 0; i < 10; i++) channel.sendToQueue(queue, Buffer.from(String(i)))
    const reader = await connection.createChannel()
    const { inbox } = await consumeInto(reader, queue)
    const messages = await inbox.take(10)
    reader.ack(messages[3]!)
    await reader.close()
    const again = await consumeInto(channel, queue)
    const returned = await again.inbox.take(9)
    assert.deepEqual(
      returned.map((message) => text(message)),
      ["0", "1", "2", "4", "5", "6", "7", "8", "9"],
    )
    assert.ok(returned.every((message) => message!.fields.redelivered))
  })

  test("ack with allUpTo settles everything before", async () => {
    const queue = await exclusiveQueue()
    for (let i = 0; i < 10; i++) channel.sendToQueue(queue, Buffer.from(String(i)))
    const reader = await connection.createChannel()
    const { inbox } = await consumeInto(reader, queue)
    const messages = await inbox.take(10)
    reader.ack(messages[6]!, true)
    await reader.close()
    await eventually(async () => assert.equal((await channel.checkQueue(queue)).messageCount, 3))
  })

  test("nack and reject requeue or drop as asked", async () => {
    const queue = await exclusiveQueue()
    for (const body of ["a", "b", "c", "d"]) channel.sendToQueue(queue, Buffer.from(body))
    const [a, b, c, d] = [await get(queue), await get(queue), await get(queue), await get(queue)]
    channel.nack(a, false, true)
    channel.nack(b, false, false)
    channel.reject(c, true)
    channel.reject(d, false)
    assert.equal(text(await get(queue)), "a")
    const again = await get(queue)
    assert.equal(text(again), "c")
    assert.equal(again.fields.redelivered, true)
    assert.equal(await channel.get(queue), false)
  })

  test("prefetch limits what is outstanding", async () => {
    const queue = await exclusiveQueue()
    for (let i = 0; i < 20; i++) channel.sendToQueue(queue, Buffer.from(String(i)))
    const reader = await connection.createChannel()
    await reader.prefetch(3)
    const { inbox } = await consumeInto(reader, queue)
    const [first] = await inbox.take(3)
    // A round trip on the same connection: what was going to come has come.
    await reader.checkQueue(queue)
    assert.equal(inbox.items.length, 3)
    reader.ack(first!)
    await inbox.take(1)
    await reader.checkQueue(queue)
    assert.equal(inbox.items.length, 4)
  })

  test("recover brings the unacknowledged messages back", async () => {
    const queue = await exclusiveQueue()
    channel.sendToQueue(queue, Buffer.from("x"))
    const { inbox } = await consumeInto(channel, queue)
    assert.equal((await inbox.next())!.fields.redelivered, false)
    await channel.recover()
    assert.equal((await inbox.next())!.fields.redelivered, true)
  })

  test("get says how many messages remain", async () => {
    const queue = await exclusiveQueue()
    for (const body of ["a", "b", "c"]) channel.sendToQueue(queue, Buffer.from(body))
    await channel.waitForConfirms()
    assert.equal((await get(queue)).fields.messageCount, 2)
    assert.equal((await get(queue)).fields.messageCount, 1)
    assert.equal((await channel.purgeQueue(queue)).messageCount, 1)
    assert.equal(await channel.get(queue), false)
  })
})

describe("exchanges", () => {
  const routes: readonly {
    readonly type: string
    readonly bindings: readonly string[]
    readonly keys: Readonly<Record<string, boolean>>
  }[] = [
    { type: "direct", bindings: ["a", "b"], keys: { a: true, b: true, c: false, "": false } },
    { type: "fanout", bindings: [""], keys: { a: true, "": true } },
    {
      type: "topic",
      bindings: ["order.*.paid", "log.#"],
      keys: {
        "order.7.paid": true,
        "order.7.8.paid": false,
        "order..paid": true,
        log: true,
        "log.a.b": true,
        "a.log": false,
      },
    },
  ]
  for (const { type, bindings, keys } of routes)
    test(`a ${type} exchange routes by its rule`, async () => {
      const name = `x.${type}`
      await channel.assertExchange(name, type, { autoDelete: true, durable: false })
      const queue = await exclusiveQueue()
      for (const binding of bindings) await channel.bindQueue(queue, name, binding)
      for (const key of Object.keys(keys)) channel.publish(name, key, Buffer.from(key))
      await channel.waitForConfirms()
      const expected = Object.keys(keys).filter((key) => keys[key])
      const { inbox } = await consumeInto(channel, queue, true)
      const received = await inbox.take(expected.length)
      assert.deepEqual(
        received.map((message) => text(message)),
        expected,
      )
      assert.equal((await channel.checkQueue(queue)).messageCount, 0)
    })

  test("a headers exchange matches all or any of the headers", async () => {
    await channel.assertExchange("x.headers", "headers", { durable: false })
    const all = await exclusiveQueue()
    const any = await exclusiveQueue()
    await channel.bindQueue(all, "x.headers", "", { "x-match": "all", kind: "a", size: 1 })
    await channel.bindQueue(any, "x.headers", "", { "x-match": "any", kind: "a", size: 1 })
    const send = (headers: Record<string, unknown>): boolean =>
      channel.publish("x.headers", "", Buffer.from(JSON.stringify(headers)), { headers })
    send({ kind: "a", size: 1, more: true })
    send({ kind: "a" })
    send({ kind: "b", size: 2 })
    await channel.waitForConfirms()
    assert.equal((await channel.checkQueue(all)).messageCount, 1)
    assert.equal((await channel.checkQueue(any)).messageCount, 2)
    await channel.deleteExchange("x.headers")
  })

  test("exchanges are bound to exchanges, in a circle too", async () => {
    for (const name of ["x.one", "x.two"])
      await channel.assertExchange(name, "fanout", { durable: false })
    await channel.bindExchange("x.two", "x.one", "")
    await channel.bindExchange("x.one", "x.two", "")
    const queue = await exclusiveQueue()
    await channel.bindQueue(queue, "x.two", "")
    channel.publish("x.one", "", Buffer.from("once"))
    await channel.waitForConfirms()
    assert.equal((await channel.checkQueue(queue)).messageCount, 1)
    await channel.deleteExchange("x.one")
    await channel.deleteExchange("x.two")
  })

  test("an auto-delete exchange goes with its last binding", async () => {
    await channel.assertExchange("x.fleeting", "direct", { autoDelete: true, durable: false })
    const queue = await exclusiveQueue()
    await channel.bindQueue(queue, "x.fleeting", "k")
    await channel.unbindQueue(queue, "x.fleeting", "k")
    const failed = channelError(channel)
    await assert.rejects(channel.checkExchange("x.fleeting"))
    assert.equal((await failed).code, 404)
  })
})

describe("refusals close the channel with RabbitMQ's code and text", () => {
  const cases: readonly {
    readonly name: string
    readonly act: (on: Channel) => Promise<unknown>
    readonly code: number
    readonly text: string
  }[] = [
    {
      name: "a missing queue",
      act: (on) => on.checkQueue("missing"),
      code: 404,
      text: "NOT_FOUND - no queue 'missing' in vhost '/'",
    },
    {
      name: "a missing exchange",
      act: (on) => on.checkExchange("missing"),
      code: 404,
      text: "NOT_FOUND - no exchange 'missing' in vhost '/'",
    },
    {
      name: "a reserved name",
      act: (on) => on.assertQueue("amq.mine"),
      code: 403,
      text: "ACCESS_REFUSED - queue name 'amq.mine' contains reserved prefix 'amq.*'",
    },
    {
      name: "an unknown exchange type",
      act: (on) => on.assertExchange("x", "no-such-type"),
      code: 406,
      text: "PRECONDITION_FAILED - unknown exchange type 'no-such-type'",
    },
    {
      name: "an exchange declared again with another type",
      act: (on) => on.assertExchange("amq.direct", "fanout"),
      code: 406,
      text: "PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'amq.direct' in vhost '/': received 'fanout' but current is 'direct'",
    },
  ]
  for (const { name, act, code, text: expected } of cases)
    test(name, async () => {
      const failing = await connection.createChannel()
      const failed = channelError(failing)
      await assert.rejects(act(failing))
      const error = await failed
      assert.equal(error.code, code)
      assert.ok(error.message.includes(expected), error.message)
      // The connection and its other channels go on.
      await exclusiveQueue()
    })

  test("a queue that another connection holds exclusively", async () => {
    const queue = await exclusiveQueue()
    const other = await connect(url)
    const stranger = await other.createChannel()
    const failed = channelError(stranger)
    await assert.rejects(stranger.checkQueue(queue))
    assert.equal((await failed).code, 405)
    await other.close()
  })

  test("publishing to a missing exchange", async () => {
    const failing = await connection.createChannel()
    const failed = channelError(failing)
    failing.publish("missing", "", Buffer.from("x"))
    assert.match((await failed).message, /NOT_FOUND - no exchange 'missing' in vhost '\/'/)
  })

  test("acknowledging twice", async () => {
    const queue = await exclusiveQueue()
    channel.sendToQueue(queue, Buffer.from("x"))
    const message = await get(queue)
    channel.ack(message)
    const failed = channelError(channel)
    channel.ack(message)
    assert.match((await failed).message, /PRECONDITION_FAILED - unknown delivery tag 1/)
  })
})

describe("lifetimes", () => {
  test("exclusive queues go with their connection", async () => {
    const other = await connect(url)
    const owner = await other.createChannel()
    await owner.assertQueue("mine-alone", { exclusive: true })
    await other.close()
    const failed = channelError(channel)
    await assert.rejects(channel.checkQueue("mine-alone"))
    assert.equal((await failed).code, 404)
  })

  test("an auto-delete queue goes with its last consumer", async () => {
    await channel.assertQueue("fleeting", { autoDelete: true, durable: false })
    const { tag } = await consumeInto(channel, "fleeting")
    await channel.cancel(tag)
    const failed = channelError(channel)
    await assert.rejects(channel.checkQueue("fleeting"))
    assert.equal((await failed).code, 404)
  })

  test("a lost connection returns its messages to the others", async () => {
    const { queue } = await channel.assertQueue("handed-over", { durable: false })
    channel.sendToQueue(queue, Buffer.from("x"))
    const other = await connect(url)
    other.on("error", () => {})
    const { inbox } = await consumeInto(await other.createChannel(), queue)
    await inbox.next()
    const here = await consumeInto(channel, queue)
    Object(other.connection).stream.destroy(new Error("cut"))
    const message = await here.inbox.next()
    assert.equal(message!.fields.redelivered, true)
    await channel.deleteQueue(queue)
  })
})
