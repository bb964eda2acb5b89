/** Messages that are written many at a time: the same bytes as one by one, within the same limits. */
import assert from "node:assert/strict"
import { test } from "node:test"
import * as m from "../../../src/amqp/generated/methods.ts"
import { encodeProperties } from "../../../src/amqp/properties.ts"
import { ClientError } from "../../../src/client/errors.ts"
import { MessageCycle } from "../../../src/client/message-cycle.ts"
import { PublishTarget, SAME_TARGET } from "../../../src/client/publish-target.ts"
import { chooseSeed, createRandom } from "../../support/seed.ts"
import { openChannel, openConnection, turn } from "./support.ts"

const TARGET = new PublishTarget({ exchange: "e", routingKey: "k" })
const PROPERTIES = Buffer.from(encodeProperties({ deliveryMode: 2 }))

function cycleOf(size: number): MessageCycle {
  return new MessageCycle([{ target: TARGET, body: Buffer.alloc(size, "abc") }])
}

test("a cycle is the same bytes as its messages published one by one", async () => {
  const random = createRandom(chooseSeed("message cycle"))
  const SIZES = [0, 1, 16, 1000, 30_000, 40_000, 131_064, 131_065, 300_000]
  for (const sizes of [...SIZES.map((size) => [size]), [16, 16, 16], [0, 5000, 20], SIZES])
    for (const isStamped of [false, true]) {
      const one = await openConnection()
      const other = await openConnection()
      const messages = sizes.map((size, index) => ({
        target: new PublishTarget({ exchange: "e", routingKey: `key.${String(index ** 5)}` }),
        body: Buffer.alloc(isStamped ? size + 8 : size, `abc${String(index)}`),
      }))
      const single = await openChannel(one)
      const many = await openChannel(other)
      one.transport.sent = []
      other.transport.sent = []
      const cycle = new MessageCycle(messages, { properties: PROPERTIES, isStamped })
      const most = Math.min(3000, Math.ceil(1e6 / (Math.max(...sizes) + 100)))
      let position = random.below(messages.length)
      for (let round = 0; round < 8; round++) {
        const count = 1 + random.below(random.chance(0.3) ? most : 5)
        const stamp = random.below(1e9) / 7
        const now = many.publishCycle(cycle, position, count, stamp)
        for (let i = 0; i < now; i++) {
          const { target, body } = messages[(position + i) % messages.length]!
          if (isStamped) body.writeDoubleLE(stamp, 0)
          single.publish(target, body, PROPERTIES)
        }
        assert.ok(now === count || (now > 0 && !many.canPublish), `${String(now)} published`)
        position += now
        await turn()
        one.transport.take()
        other.transport.take()
      }
      assert.equal(many.publishedCount, single.publishedCount)
      const isSame = one.transport.sentBytes.equals(other.transport.sentBytes)
      assert.ok(isSame, `${sizes.join(" ")} stamped ${String(isStamped)}`)
      one.connection.destroy()
      other.connection.destroy()
    }
})

test("one cycle serves channels with other numbers and other sizes of frames", async () => {
  const body = Buffer.alloc(10_000, "abc")
  const cycle = new MessageCycle([{ target: TARGET, body }], { properties: PROPERTIES })
  for (const frameMax of [131_072, 4096, 8192]) {
    const one = await openConnection({ frameMax })
    const other = await openConnection({ frameMax })
    const single = await openChannel(one)
    const many = await openChannel(other)
    many.publishCycle(cycle, 0, 3)
    for (let i = 0; i < 3; i++) single.publish(TARGET, body, PROPERTIES)
    await turn()
    assert.ok(one.transport.sentBytes.equals(other.transport.sentBytes), String(frameMax))
    const opening = other.connection.openChannel()
    other.transport.feed(m.writeChannelOpenOk(2))
    const second = await opening
    await turn()
    other.transport.sent = []
    second.publishCycle(cycle, 0, 1)
    await turn()
    assert.equal(other.transport.sentBytes.readUInt16BE(1), 2)
  }
})

test("a cycle keeps to the window of confirms and to a full output", async () => {
  const scripted = await openConnection()
  const { transport } = scripted
  const channel = await openChannel(scripted)
  const selecting = channel.confirmSelect({ window: 1000 })
  transport.feed(m.writeConfirmSelectOk(1))
  await selecting
  let drained = 0
  channel.onDrain = () => drained++
  const cycle = cycleOf(16)
  assert.equal(channel.publishCycle(cycle, 0, 600), 600)
  assert.equal(channel.publishCycle(cycle, 0, 600), 400)
  assert.equal(channel.publishCycle(cycle, 0, 600), 0)
  assert.equal(channel.lastPublishTag, 1000)
  transport.feed(m.writeBasicAck(1, { deliveryTag: 300, multiple: true }))
  assert.equal(drained, 1)
  assert.equal(channel.publishCycle(cycle, 0, 600), 300)
  assert.equal(channel.unconfirmedCount, 1000)
  transport.feed(m.writeBasicAck(1, { deliveryTag: 0, multiple: true }))
  assert.equal(drained, 2)

  transport.isTaking = false
  const count = channel.publishCycle(cycleOf(10_000), 0, 1000)
  assert.ok(count > 40 && count < 80, String(count))
  await turn()
  transport.take()
  await turn()
  assert.equal(drained, 3)
})

test("what is shared between channels is handed to the transport in order, and never written into", async () => {
  const scripted = await openConnection()
  const { transport } = scripted
  const channel = await openChannel(scripted)
  await turn()
  transport.sent = []
  transport.isTaking = false
  const cycle = cycleOf(20_000)
  const small = Buffer.from("between")
  channel.publishCycle(cycle, 0, 2)
  channel.publish(TARGET, small)
  channel.publishCycle(cycle, 0, 2)
  channel.publish(TARGET, small)
  await turn()
  transport.take()
  await turn()
  const reference = await openConnection()
  const single = await openChannel(reference)
  await turn()
  reference.transport.sent = []
  for (const body of [0, 0, small, 0, 0, small])
    single.publish(TARGET, typeof body === "number" ? Buffer.alloc(20_000, "abc") : body)
  await turn()
  assert.ok(transport.sentBytes.equals(reference.transport.sentBytes))
})

test("a message without a target, or without room for its stamp, is refused", () => {
  const body = Buffer.alloc(7)
  assert.throws(() => new MessageCycle([{ target: SAME_TARGET, body }]), ClientError)
  assert.throws(
    () => new MessageCycle([{ target: TARGET, body }], { isStamped: true }),
    ClientError,
  )
  assert.throws(() => new MessageCycle([]), ClientError)
})
