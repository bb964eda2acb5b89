/** Channels that close while something is under way, connections that are blocked, and limits of what is kept. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { encodeContent } from "../../../src/amqp/content.ts"
import * as m from "../../../src/amqp/generated/methods.ts"
import { HEARTBEAT_FRAME } from "../../../src/amqp/frames.ts"
import { ClientError } from "../../../src/client/errors.ts"
import { MessageCycle } from "../../../src/client/message-cycle.ts"
import { PublishTarget } from "../../../src/client/publish-target.ts"
import { deliver, dial, openChannel, openConnection, START, tune, turn } from "./support.ts"

const TARGET = new PublishTarget({ routingKey: "k" })
const NOT_FOUND = m.writeChannelClose(1, {
  replyCode: 404,
  replyText: "NOT_FOUND - no queue 'q'",
  classId: 50,
  methodId: 10,
})

test("methods sent before close() still have their replies", async () => {
  const scripted = await openConnection()
  const channel = await openChannel(scripted)
  const declaring = channel.declareQueue("q")
  const getting = channel.get("q")
  const empty = channel.get("q")
  const closing = channel.close()
  assert.throws(() => channel.publish(TARGET, Buffer.alloc(1)), ClientError)
  const getOk = m.writeBasicGetOk(1, {
    deliveryTag: 1,
    redelivered: false,
    exchange: "x",
    routingKey: "k",
    messageCount: 4,
  })
  scripted.transport.feed(
    m.writeQueueDeclareOk(1, { queue: "q", messageCount: 5, consumerCount: 0 }),
    encodeContent(1, getOk, Buffer.from([0, 0]), Buffer.from("body"), 4096),
    m.writeBasicGetEmpty(1),
    m.writeChannelCloseOk(1),
  )
  assert.equal((await declaring).messageCount, 5)
  assert.equal((await getting)?.body.toString(), "body")
  assert.equal(await empty, null)
  await closing
  assert.ok(scripted.connection.isOpen)
  assert.equal((await openChannel(scripted)).id, 1)
  scripted.connection.destroy()
})

test("both sides close at once: what waits is rejected with the server's reason", async () => {
  const scripted = await openConnection()
  const channel = await openChannel(scripted)
  let ends = 0
  channel.onClosed = (error) => {
    assert.equal(error, null)
    ends++
  }
  const checking = channel.checkQueue("q")
  const closing = channel.close()
  scripted.transport.feed(NOT_FOUND)
  await assert.rejects(checking, /404 NOT_FOUND - no queue 'q'/)
  assert.equal(ends, 0)
  scripted.transport.feed(m.writeChannelCloseOk(1))
  await closing
  assert.equal(ends, 1)
  assert.ok(scripted.connection.isOpen)
  assert.ok(scripted.transport.sentBytes.includes(m.writeChannelCloseOk(1)))
  scripted.connection.destroy()
})

test("deliveries, returns and confirms of a channel that closes are dropped, whole or in parts", async () => {
  const scripted = await openConnection()
  const { transport } = scripted
  const channel = await openChannel(scripted)
  let count = 0
  const consuming = channel.consume("q", { onDelivery: () => count++, onRun: () => count++ })
  transport.feed(m.writeBasicConsumeOk(1, { consumerTag: "c" }))
  await consuming
  const one = deliver("some body")
  transport.feed(one, one.subarray(0, 60))
  assert.equal(count, 1)
  const closing = channel.close()
  transport.feed(one.subarray(60), one, one.subarray(0, 70))
  transport.feed(one.subarray(70), m.writeBasicAck(1, { deliveryTag: 1, multiple: true }))
  transport.feed(m.writeBasicCancel(1, { consumerTag: "c", nowait: true }))
  transport.feed(m.writeChannelCloseOk(1))
  await closing
  assert.equal(count, 1)
  assert.ok(scripted.connection.isOpen)
  scripted.connection.destroy()
})

test("a connection that is blocked is not given up because it has no replies", async () => {
  const scripted = await openConnection({ callTimeoutMs: 5000 })
  const { transport, connection, clock } = scripted
  const channel = await openChannel(scripted)
  transport.feed(m.writeConnectionBlocked(0, { reason: "low on memory" }))
  const declaring = channel.declareQueue("q")
  clock.advance(60_000)
  assert.ok(connection.isOpen)
  transport.feed(m.writeConnectionUnblocked(0))
  clock.advance(4000)
  assert.ok(connection.isOpen)
  clock.advance(3000)
  await assert.rejects(declaring, /no reply after 5 s/)
})

test("a heartbeat before connection.open-ok is one", async () => {
  const { transport, connection } = dial()
  transport.feed(START)
  transport.feed(tune(1))
  transport.feed(HEARTBEAT_FRAME)
  transport.feed(m.writeConnectionOpenOk(0))
  await connection.opened
  connection.destroy()
})

test("one message of any size is accepted, acknowledgements without end are not", async () => {
  const scripted = await openConnection()
  const { transport, connection } = scripted
  const channel = await openChannel(scripted)
  await turn()
  transport.keepsBytes = false
  transport.isTaking = false
  channel.publish(TARGET, Buffer.alloc(200 << 20))
  transport.feed(HEARTBEAT_FRAME)
  assert.equal(connection.error, null)
  assert.throws(() => channel.publish(TARGET, Buffer.alloc(1)), /although publish\(\) had returned/)
  transport.take()
  await turn()
  assert.equal(channel.canPublish, true)
  const cycle = new MessageCycle([{ target: TARGET, body: Buffer.alloc(100 << 20) }])
  assert.equal(channel.publishCycle(cycle, 0, 10), 1)
  transport.feed(HEARTBEAT_FRAME)
  assert.equal(connection.error, null)

  const other = await openConnection()
  const acknowledging = await openChannel(other)
  await turn()
  other.transport.keepsBytes = false
  other.transport.isTaking = false
  for (let i = 0; i < 7_000_000; i++) acknowledging.ack(i)
  other.transport.feed(HEARTBEAT_FRAME)
  assert.equal(other.connection.error?.kind, "timeout")
  connection.destroy()
})
