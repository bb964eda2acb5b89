/** Whatever a server sends, the client throws nothing at its transport and ends in one clear error at most. */
import assert from "node:assert/strict"
import { test } from "node:test"
import * as m from "../../../src/amqp/generated/methods.ts"
import { ClientError } from "../../../src/client/errors.ts"
import { PublishTarget } from "../../../src/client/publish-target.ts"
import { mutate, randomFrame } from "../../fuzz/mutate.ts"
import { chooseSeed, createRandom } from "../../support/seed.ts"
import type { Random } from "../../support/seed.ts"
import { deliver, dial, openChannel, openConnection, OPEN_OK, START, tune } from "./support.ts"

const ROUNDS = 3000

/** What a server may well send on channel 1 after confirm.select, consume, get and declare. */
function session(): Buffer[] {
  return [
    m.writeConfirmSelectOk(1),
    m.writeBasicConsumeOk(1, { consumerTag: "c" }),
    m.writeQueueDeclareOk(1, { queue: "q", messageCount: 1, consumerCount: 1 }),
    deliver("hello"),
    deliver(""),
    m.writeBasicAck(1, { deliveryTag: 2, multiple: true }),
    m.writeBasicNack(1, { deliveryTag: 3, multiple: false, requeue: false }),
    m.writeConnectionBlocked(0, { reason: "disk" }),
    m.writeConnectionUnblocked(0),
    m.writeChannelFlow(1, { active: true }),
    m.writeBasicCancel(1, { consumerTag: "c", nowait: true }),
    m.writeChannelClose(1, { replyCode: 404, replyText: "no", classId: 50, methodId: 10 }),
    m.writeConnectionClose(0, { replyCode: 320, replyText: "bye", classId: 0, methodId: 0 }),
  ].map((frame) => Buffer.from(frame))
}

function feedInPieces(bytes: Buffer, random: Random, feed: (piece: Buffer) => void): void {
  for (let at = 0; at < bytes.length;) {
    const size = 1 + random.below(random.chance(0.5) ? 8 : 400)
    feed(bytes.subarray(at, at + size))
    at += size
  }
}

test("damaged frames after the handshake end in one error", async () => {
  const random = createRandom(chooseSeed("client garbage"))
  let failures = 0
  for (let round = 0; round < ROUNDS; round++) {
    const scripted = await openConnection()
    const { connection, transport } = scripted
    const channel = await openChannel(scripted)
    let ends = 0
    connection.onClosed = () => ends++
    const calls = [
      channel.confirmSelect({ window: 10 }),
      channel.consume("q", { onDelivery: (delivery) => void delivery.copy }),
      channel.declareQueue("q"),
    ]
    const settled = Promise.allSettled(calls)
    const target = new PublishTarget({ routingKey: "q" })
    for (let i = 0; i < 5; i++) channel.publish(target, Buffer.from("x"))
    const bytes = random.chance(0.9)
      ? Buffer.concat(mutate(session(), random))
      : Buffer.concat(Array.from({ length: 20 }, () => randomFrame(random)))
    feedInPieces(bytes, random, (piece) => transport.feed(piece))
    if (connection.error !== null) {
      failures++
      assert.ok(connection.error instanceof ClientError)
      assert.match(connection.error.message, /\S/)
      assert.notEqual(connection.error.kind, "callback", `${connection.error.message} (a bug)`)
    }
    connection.destroy()
    transport.callbacks.onClosed(null)
    assert.equal(ends, 1)
    for (const result of await settled)
      if (result.status === "rejected") assert.ok(result.reason instanceof ClientError)
  }
  assert.ok(failures > ROUNDS / 4, `only ${String(failures)} of ${String(ROUNDS)} were noticed`)
})

test("a damaged handshake rejects with an error", async () => {
  const random = createRandom(chooseSeed("client handshake garbage"))
  for (let round = 0; round < ROUNDS; round++) {
    const { connection, transport } = dial()
    const bytes = Buffer.concat(mutate([START, tune(10), OPEN_OK], random))
    feedInPieces(bytes, random, (piece) => transport.feed(piece))
    transport.callbacks.onClosed(null)
    connection.destroy()
    await connection.opened.catch((error: unknown) => {
      assert.ok(error instanceof ClientError, String(error))
      assert.notEqual(error.kind, "callback", `${error.message} (a bug)`)
    })
  }
})
