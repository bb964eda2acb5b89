/** The client's connection and channels against a server that is a script. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { encodePublish } from "../../../src/amqp/content.ts"
import * as m from "../../../src/amqp/generated/methods.ts"
import { AmqpReader } from "../../../src/amqp/reader.ts"
import { encodeContent } from "../../../src/amqp/content.ts"
import { ClientError } from "../../../src/client/errors.ts"
import { PublishTarget, SAME_TARGET } from "../../../src/client/publish-target.ts"
import { deliver, dial, openChannel, openConnection, START, tune, turn } from "./support.ts"

const TARGET = new PublishTarget({ exchange: "x", routingKey: "key" })

function isError(kind: string, pattern: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof ClientError, String(error))
    assert.equal(error.kind, kind)
    assert.match(error.message, pattern)
    return true
  }
}

test("the handshake logs in, tunes and opens the vhost", async () => {
  const { transport, connection } = dial({ username: "u", password: "p", vhost: "v" })
  transport.feed(START)
  await turn()
  const header = transport.sentBytes.subarray(0, 8)
  assert.deepEqual([...header], [0x41, 0x4d, 0x51, 0x50, 0, 0, 9, 1])
  const startOk = m.readConnectionStartOk(
    new AmqpReader(transport.sentBytes, 8 + 11, transport.sentBytes.length - 1),
  )
  assert.equal(startOk.mechanism, "PLAIN")
  assert.equal(startOk.response.toString(), "\0u\0p")
  transport.sent = []
  transport.feed(tune(20))
  await turn()
  const tuneOk = m.writeConnectionTuneOk(0, { channelMax: 100, frameMax: 131_072, heartbeat: 20 })
  const open = m.writeConnectionOpen(0, { vhost: "v" })
  assert.deepEqual(transport.sentBytes, Buffer.concat([tuneOk, open]))
  transport.feed(m.writeConnectionOpenOk(0))
  await connection.opened
  assert.equal(connection.heartbeatSeconds, 20)
  connection.destroy()
})

test("a refused login says so, and a stream that ends after it gives a hint", async () => {
  const refused = dial()
  refused.transport.feed(
    START,
    m.writeConnectionClose(0, {
      replyCode: 403,
      replyText: "ACCESS_REFUSED - no",
      classId: 0,
      methodId: 0,
    }),
  )
  await assert.rejects(refused.connection.opened, isError("authentication", /403|ACCESS_REFUSED/))
  const lost = dial()
  lost.transport.feed(START)
  lost.transport.callbacks.onClosed(null)
  await assert.rejects(lost.connection.opened, isError("connect", /credentials may be wrong/))
})

test("what does not speak AMQP is named", async () => {
  for (const [bytes, pattern] of [
    ["HTTP/1.1 400 Bad Request\r\n", /does not speak AMQP/],
    ["AMQP\0\0\x09\x00", /another version/],
  ] as const) {
    const { transport, connection } = dial()
    transport.feed(Buffer.from(bytes, "latin1"))
    await assert.rejects(connection.opened, isError("protocol", pattern))
    assert.ok(transport.isDestroyed)
  }
})

test("a server that says nothing is given up", async () => {
  const { connection, clock, transport } = dial({ connectTimeoutMs: 500 })
  clock.advance(501)
  await assert.rejects(connection.opened, isError("timeout", /not connected after 0.5 s/))
  assert.ok(transport.isDestroyed)
})

test("publish writes the frames of the codec, small and cut into pieces", async () => {
  const scripted = await openConnection()
  const channel = await openChannel(scripted)
  await turn()
  for (const size of [0, 1, 16, 300, 20_000, 131_064, 131_065, 300_000]) {
    scripted.transport.sent = []
    const body = Buffer.alloc(size, "abc")
    channel.publish(TARGET, body, { contentType: "text/plain", deliveryMode: 2 })
    await turn()
    const expected = encodePublish(1, {
      exchange: "x",
      routingKey: "key",
      properties: { contentType: "text/plain", deliveryMode: 2 },
      body,
    })
    assert.ok(scripted.transport.sentBytes.equals(expected), `${String(size)} bytes`)
  }
  scripted.connection.destroy()
})

test("forward keeps what the target leaves open", async () => {
  const scripted = await openConnection()
  const channel = await openChannel(scripted)
  const targets: [PublishTarget, string, string][] = [
    [SAME_TARGET, "x", "key"],
    [new PublishTarget({ exchange: "other", routingKey: null }), "other", "key"],
    [new PublishTarget({ exchange: null, routingKey: "q" }), "x", "q"],
    [TARGET, "x", "key"],
  ]
  let at = 0
  const consuming = channel.consume("q", {
    onDelivery: (delivery) => void channel.forward(delivery, targets[at]![0]),
  })
  scripted.transport.feed(m.writeBasicConsumeOk(1, { consumerTag: "c" }))
  await consuming
  for (at = 0; at < targets.length; at++) {
    await turn()
    scripted.transport.sent = []
    scripted.transport.feed(deliver("body"))
    await turn()
    const [, exchange, routingKey] = targets[at]!
    const expected = encodePublish(1, {
      exchange,
      routingKey,
      properties: { deliveryMode: 2 },
      body: Buffer.from("body"),
    })
    assert.deepEqual(scripted.transport.sentBytes, expected)
  }
  scripted.connection.destroy()
})

test("a delivery is the same however the bytes are cut", async () => {
  const scripted = await openConnection()
  const channel = await openChannel(scripted)
  const received: string[] = []
  const consuming = channel.consume("q", {
    onDelivery: (delivery) => {
      const { exchange, routingKey, body } = delivery.copy()
      assert.equal(delivery.properties().deliveryMode, 2)
      received.push(`${exchange} ${routingKey} ${body.toString()} ${String(delivery.deliveryTag)}`)
    },
  })
  scripted.transport.feed(m.writeBasicConsumeOk(1, { consumerTag: "c" }))
  await consuming
  const bytes = Buffer.concat([deliver("hello", "c", 7), deliver("", "c", 8)])
  for (let cut = 0; cut <= bytes.length; cut++) {
    received.length = 0
    if (cut > 0) scripted.transport.feed(bytes.subarray(0, cut))
    if (cut < bytes.length) scripted.transport.feed(bytes.subarray(cut))
    assert.deepEqual(received, ["x key hello 7", "x key  8"], `cut at ${String(cut)}`)
  }
  received.length = 0
  for (const byte of bytes) scripted.transport.feed(Buffer.from([byte]))
  assert.deepEqual(received, ["x key hello 7", "x key  8"])
  scripted.connection.destroy()
})

test("a body in several frames becomes one message", async () => {
  const scripted = await openConnection()
  const channel = await openChannel(scripted)
  const body = Buffer.alloc(1_000_000, "0123456789")
  let got: Buffer | null = null
  const consuming = channel.consume("q", { onDelivery: (d) => (got = Buffer.from(d.body)) })
  scripted.transport.feed(m.writeBasicConsumeOk(1, { consumerTag: "c" }))
  await consuming
  const bytes = deliver(body)
  for (let at = 0; at < bytes.length; at += 65_536)
    scripted.transport.feed(bytes.subarray(at, at + 65_536))
  assert.ok(got !== null && body.equals(got))
  scripted.connection.destroy()
})

test("replies answer the methods in the order in which they were sent", async () => {
  const scripted = await openConnection()
  const channel = await openChannel(scripted)
  const results = Promise.all([
    channel.declareQueue("a"),
    channel.purgeQueue("a"),
    channel.get("a"),
    channel.bindQueue("a", "x", "k"),
    channel.deleteQueue("a"),
  ])
  scripted.transport.feed(
    m.writeQueueDeclareOk(1, { queue: "a", messageCount: 3, consumerCount: 1 }),
    m.writeQueuePurgeOk(1, { messageCount: 3 }),
    m.writeBasicGetEmpty(1),
    m.writeQueueBindOk(1),
    m.writeQueueDeleteOk(1, { messageCount: 0 }),
  )
  const expected = [{ queue: "a", messageCount: 3, consumerCount: 1 }, 3, null, undefined, 0]
  assert.deepEqual(await results, expected)
  scripted.connection.destroy()
})

test("a closed channel rejects what waits and says why; the connection goes on", async () => {
  const scripted = await openConnection()
  const channel = await openChannel(scripted)
  const closed = Promise.withResolvers<ClientError | null>()
  channel.onClosed = closed.resolve
  const waiting = [channel.checkQueue("nope"), channel.declareQueue("later")]
  scripted.transport.feed(
    m.writeChannelClose(1, {
      replyCode: 404,
      replyText: "NOT_FOUND - no queue 'nope'",
      classId: 50,
      methodId: 10,
    }),
  )
  for (const call of waiting)
    await assert.rejects(call, isError("channel-closed", /^404 NOT_FOUND - no queue 'nope'$/))
  const error = await closed.promise
  assert.equal(error?.code, 404)
  assert.equal(error.method, "queue.declare")
  assert.throws(() => channel.publish(TARGET, Buffer.alloc(1)), isError("channel-closed", /404/))
  channel.ack(1)
  assert.equal((await openChannel(scripted)).id, 1)
  scripted.connection.destroy()
})

test("a closed connection closes its channels, once", async () => {
  const scripted = await openConnection()
  const channel = await openChannel(scripted)
  const told: string[] = []
  channel.onClosed = (error) => told.push(`channel ${String(error?.code)}`)
  scripted.connection.onClosed = (error) => told.push(`connection ${String(error?.code)}`)
  const waiting = channel.declareQueue("q")
  scripted.transport.feed(
    m.writeConnectionClose(0, {
      replyCode: 320,
      replyText: "CONNECTION_FORCED - bye",
      classId: 0,
      methodId: 0,
    }),
  )
  scripted.transport.callbacks.onClosed(null)
  await assert.rejects(waiting, isError("connection-closed", /320 CONNECTION_FORCED/))
  assert.deepEqual(told, ["channel 320", "connection 320"])
  await assert.rejects(scripted.connection.openChannel(), isError("connection-closed", /320/))
})

test("the window of confirms holds the publisher back, and confirms let it go on", async () => {
  const scripted = await openConnection()
  const channel = await openChannel(scripted)
  const selected = channel.confirmSelect({ window: 3 })
  scripted.transport.feed(m.writeConfirmSelectOk(1))
  await selected
  const confirms: string[] = []
  let drains = 0
  channel.onConfirm = (tag, multiple, isAck) =>
    confirms.push(`${String(tag)} ${String(multiple)} ${String(isAck)}`)
  channel.onDrain = () => drains++
  const body = Buffer.alloc(1)
  assert.deepEqual(
    [1, 2, 3].map(() => channel.publish(TARGET, body)),
    [true, true, false],
  )
  assert.equal(channel.lastPublishTag, 3)
  scripted.transport.feed(
    m.writeBasicAck(1, { deliveryTag: 2, multiple: false }),
    m.writeBasicAck(1, { deliveryTag: 2, multiple: true }),
    m.writeBasicNack(1, { deliveryTag: 3, multiple: false, requeue: false }),
  )
  assert.deepEqual(confirms, ["2 false true", "2 true true", "3 false false"])
  assert.equal(channel.unconfirmedCount, 0)
  assert.equal(drains, 1)
  const closed = Promise.withResolvers<ClientError | null>()
  scripted.connection.onClosed = closed.resolve
  scripted.transport.feed(m.writeBasicAck(1, { deliveryTag: 9, multiple: false }))
  assert.equal((await closed.promise)?.kind, "protocol")
})

test("a full output, a blocked connection and channel.flow hold publishers back", async () => {
  const scripted = await openConnection()
  const { transport, connection } = scripted
  const channel = await openChannel(scripted)
  await turn()
  transport.take()
  let drains = 0
  channel.onDrain = () => drains++
  transport.isTaking = false
  const body = Buffer.alloc(60_000)
  let count = 1
  while (channel.publish(TARGET, body)) count++
  assert.ok(count < 12, `${String(count)} messages of 60 KB`)
  assert.equal(drains, 0)
  await turn()
  transport.isTaking = true
  transport.take()
  assert.equal(drains, 0, "not within the callback of the transport")
  await turn()
  assert.equal(drains, 1)
  const reasons: string[] = []
  connection.onBlocked = (reason) => reasons.push(reason)
  transport.feed(m.writeConnectionBlocked(0, { reason: "low on disk" }))
  assert.equal(channel.publish(TARGET, Buffer.alloc(1)), false)
  transport.feed(m.writeConnectionUnblocked(0))
  assert.deepEqual(reasons, ["low on disk"])
  assert.equal(drains, 2)
  transport.feed(m.writeChannelFlow(1, { active: false }))
  assert.equal(channel.publish(TARGET, Buffer.alloc(1)), false)
  transport.feed(m.writeChannelFlow(1, { active: true }))
  assert.equal(drains, 3)
  connection.destroy()
})

test("heartbeats are sent, and a silent server is given up unless nobody listens", async () => {
  const { transport, connection, clock } = await openConnection({}, 10)
  clock.advance(6000)
  await turn()
  assert.ok(transport.sentBytes.includes(Buffer.from([8, 0, 0, 0, 0, 0, 0, 0xce])))
  connection.pause()
  clock.advance(60_000)
  assert.ok(connection.isOpen)
  connection.resume()
  const closed = Promise.withResolvers<ClientError | null>()
  connection.onClosed = closed.resolve
  clock.advance(23_000)
  assert.equal((await closed.promise)?.kind, "heartbeat")
  assert.ok(transport.isDestroyed)
})

test("a reply that never comes ends the connection", async () => {
  const scripted = await openConnection({ callTimeoutMs: 5000 })
  const channel = await openChannel(scripted)
  const waiting = channel.declareQueue("q")
  scripted.clock.advance(4000)
  assert.ok(scripted.connection.isOpen)
  scripted.clock.advance(3000)
  await assert.rejects(waiting, isError("timeout", /no reply after 5 s/))
})

test("a consumer that the server cancels is told", async () => {
  const scripted = await openConnection()
  const channel = await openChannel(scripted)
  let isTold = false
  const consuming = channel.consume("q", {
    onDelivery: () => {},
    onCancelled: () => (isTold = true),
  })
  scripted.transport.feed(m.writeBasicConsumeOk(1, { consumerTag: "c" }))
  const consumer = await consuming
  scripted.transport.feed(m.writeBasicCancel(1, { consumerTag: "c", nowait: true }))
  assert.ok(isTold && consumer.isCancelled)
  assert.equal(channel.consumerCount, 0)
  scripted.connection.destroy()
})

test("a callback that throws ends the connection with its error, and nothing else", async () => {
  const scripted = await openConnection()
  const channel = await openChannel(scripted)
  const consuming = channel.consume("q", {
    onDelivery: () => {
      throw new Error("my own fault")
    },
  })
  scripted.transport.feed(m.writeBasicConsumeOk(1, { consumerTag: "c" }))
  await consuming
  scripted.transport.feed(deliver("x"))
  assert.equal(scripted.connection.error?.kind, "callback")
  assert.match(scripted.connection.error.message, /my own fault/)
})

test("returned messages carry their reason", async () => {
  const scripted = await openConnection()
  const channel = await openChannel(scripted)
  let text = ""
  channel.onReturn = (returned) =>
    (text = `${String(returned.replyCode)} ${returned.replyText} ${returned.routingKey}`)
  const method = m.writeBasicReturn(1, {
    replyCode: 312,
    replyText: "NO_ROUTE",
    exchange: "x",
    routingKey: "nowhere",
  })
  scripted.transport.feed(encodeContent(1, method, Buffer.from([0, 0]), Buffer.from("b"), 4096))
  assert.equal(text, "312 NO_ROUTE nowhere")
  scripted.connection.destroy()
})

test("close() says goodbye, waits for the answer and is patient ten seconds", async () => {
  const polite = await openConnection()
  const closed = polite.connection.close()
  polite.transport.feed(m.writeConnectionCloseOk(0))
  await closed
  assert.ok(polite.transport.isEnded)
  assert.equal(polite.connection.error, null)
  const rude = await openConnection()
  const given = rude.connection.close()
  rude.clock.advance(10_001)
  await given
  assert.ok(rude.transport.isDestroyed)
})

test("names that do not fit are refused before anything is sent", async () => {
  const scripted = await openConnection()
  const channel = await openChannel(scripted)
  await assert.rejects(channel.declareQueue("x".repeat(256)), isError("usage", /longer than 255/))
  assert.throws(() => new PublishTarget({ routingKey: "x".repeat(256) }), ClientError)
  assert.ok(channel.isOpen)
  scripted.connection.destroy()
})
