/** Deliveries told several at a time: the same messages as one by one, however the bytes are cut. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { encodeContent } from "../../../src/amqp/content.ts"
import * as m from "../../../src/amqp/generated/methods.ts"
import { encodeProperties } from "../../../src/amqp/properties.ts"
import type { ClientChannel } from "../../../src/client/channel.ts"
import { chooseSeed, createRandom } from "../../support/seed.ts"
import { deliver, openChannel, openConnection } from "./support.ts"
import type { Scripted } from "./support.ts"

interface Opened extends Scripted {
  readonly channel: ClientChannel
  readonly received: string[]
  /** Messages of each call of onRun. */
  readonly runs: number[]
}

async function consume(tag = "c"): Promise<Opened> {
  const scripted = await openConnection()
  const channel = await openChannel(scripted)
  const received: string[] = []
  const runs: number[] = []
  const consuming = channel.consume("q", {
    onDelivery: ({ deliveryTag, body }) => {
      received.push(`${String(deliveryTag)} ${body.toString("latin1")}`)
    },
    onRun: (run) => {
      runs.push(run.count)
      for (let i = 0; i < run.count; i++) {
        const start = run.bodyStartAt(i)
        const body = run.chunk.bytes.toString("latin1", start, start + run.bodySize)
        received.push(`${String(run.deliveryTagAt(i))} ${body}`)
      }
    },
  })
  scripted.transport.feed(m.writeBasicConsumeOk(1, { consumerTag: tag }))
  await consuming
  return { ...scripted, channel, received, runs }
}

function message(tag: number, body: string, routingKey: string, priority: number): Buffer {
  const method = {
    consumerTag: "c",
    deliveryTag: tag,
    redelivered: tag % 7 === 0,
    exchange: "",
    routingKey,
  }
  const properties = encodeProperties(priority === 0 ? {} : { priority })
  return encodeContent(1, m.writeBasicDeliver(1, method), properties, Buffer.from(body), 131_072)
}

test("what comes in runs is what was sent, in any mixture and cut anywhere", async () => {
  const random = createRandom(chooseSeed("delivery runs"))
  let inRuns = 0
  for (let round = 0; round < 60; round++) {
    const { transport, connection, received, runs } = await consume()
    const expected: string[] = []
    const frames: Buffer[] = []
    let body = "x"
    let key = "key"
    let priority = 0
    for (let tag = 1; tag <= 200; tag++) {
      if (random.chance(0.1)) body = "abcdefgh".repeat(random.below(60)).slice(0, random.below(400))
      if (random.chance(0.1)) key = `key.${String(random.below(12))}`
      if (random.chance(0.1)) priority = random.below(3)
      // Of the same length, and with other content.
      const own = body.replaceAll("a", String(tag % 10))
      frames.push(message(tag + 2 ** 33, own, key, priority))
      expected.push(`${String(tag + 2 ** 33)} ${own}`)
    }
    const bytes = Buffer.concat(frames)
    for (let at = 0; at < bytes.length;) {
      const size = 1 + random.below(random.chance(0.5) ? 20_000 : 300)
      transport.feed(bytes.subarray(at, at + size))
      at += size
    }
    assert.deepEqual(received, expected)
    inRuns += runs.reduce((sum, count) => sum + count, 0)
    connection.destroy()
  }
  assert.ok(inRuns > 1000, `${String(inRuns)} messages came in runs`)
})

test("other frames between the deliveries are seen, and the next ones are a run again", async () => {
  const { transport, channel, received, runs } = await consume()
  const purging = channel.purgeQueue("q")
  const [a, b] = [deliver("one", "c", 1), deliver("two", "c", 2)]
  transport.feed(a, b, b, m.writeQueuePurgeOk(1, { messageCount: 9 }), b, b, a)
  assert.equal(await purging, 9)
  assert.deepEqual(runs, [2, 3])
  assert.deepEqual(received, ["1 one", "2 two", "2 two", "2 two", "2 two", "1 one"])
})

test("a broken frame end, a wrong channel or an unknown consumer is no run", async () => {
  const good = deliver("body")
  const brokenEnd = Buffer.from(good)
  brokenEnd[good.length - 1] = 0
  const otherChannel = Buffer.from(good)
  otherChannel.writeUInt16BE(7, 1)
  for (const [bad, pattern] of [
    [brokenEnd, /frame end missing/],
    [otherChannel, /channel 7, which is not open/],
    [deliver("body", "d"), /unknown consumer tag/],
  ] as const) {
    const { transport, connection, received } = await consume()
    transport.feed(good, good, bad, good)
    assert.equal(connection.error?.kind, "protocol")
    assert.match(connection.error.message, pattern)
    assert.equal(received.length, 2)
  }
})

test("a consumer that was cancelled gets no run of its successor", async () => {
  const { transport, channel, received, connection } = await consume()
  transport.feed(deliver("a", "c", 1), deliver("a", "c", 2))
  const cancelling = channel.cancel("c")
  transport.feed(m.writeBasicCancelOk(1, { consumerTag: "c" }))
  await cancelling
  const later: string[] = []
  const consuming = channel.consume("q", {
    onDelivery: (d) => void later.push(String(d.deliveryTag)),
  })
  transport.feed(m.writeBasicConsumeOk(1, { consumerTag: "c" }))
  await consuming
  transport.feed(deliver("a", "c", 3), deliver("a", "c", 4))
  assert.deepEqual(received, ["1 a", "2 a"])
  assert.deepEqual(later, ["3", "4"])
  connection.destroy()
})

test("a callback that destroys the connection within a run ends it", async () => {
  const { transport, connection, channel } = await consume()
  let calls = 0
  const consuming = channel.consume("q", {
    onDelivery: () => {},
    onRun: () => {
      calls++
      connection.destroy()
    },
  })
  transport.feed(m.writeBasicConsumeOk(1, { consumerTag: "e" }))
  await consuming
  const one = deliver("a", "e")
  transport.feed(one, one, deliver("other", "e"), one, one)
  assert.equal(calls, 1)
  assert.equal(connection.error, null)
})

test("a message that is larger than allowed is refused in one piece as in several", async () => {
  const scripted = await openConnection({ messageSizeMax: 100 })
  const channel = await openChannel(scripted)
  let count = 0
  const consuming = channel.consume("q", { onDelivery: () => count++ })
  scripted.transport.feed(m.writeBasicConsumeOk(1, { consumerTag: "c" }))
  await consuming
  scripted.transport.feed(deliver("x".repeat(100)))
  assert.equal(count, 1)
  scripted.transport.feed(deliver("x".repeat(101)))
  assert.match(scripted.connection.error?.message ?? "", /101 bytes, more than the 100/)
  assert.equal(count, 1)
})
