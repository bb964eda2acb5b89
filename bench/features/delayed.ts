/**
 * A delayed exchange with a backlog: how fast messages are put to wait, what each of them takes of
 * memory, how long a start with them takes, and how fast they come when all are due at one moment.
 * The broker is a process of its own; the client sends frames that were made before.
 */
import { encodePublish } from "../../src/amqp/content.ts"
import { tableFromPlain, TypedNumber } from "../../src/amqp/table.ts"
import type { BrokerProcess } from "../../test/support/broker-process.ts"
import { WireClient } from "../../test/support/wire-client.ts"
import { askProbe, pause, settledRss } from "../bench.ts"
import type { Bench, Measurement, Row } from "../bench.ts"

const EXCHANGE = "bench.delayed"
const QUEUE = "bench.due"
const BODY = Buffer.alloc(16, "x")
/** Messages that are made at a time, each with a delay of its own. */
const BATCH = 1000
/** Messages on their way before the client waits for the broker. */
const WINDOW = 20_000
const HOUR_MS = 3_600_000

export const DELAYED_ROWS: readonly Row[] = [
  { name: "delayed", run: waiting },
  { name: "delayed", run: falling },
]

/** Publishes `count` messages and waits until the broker has taken them; returns messages per second. */
async function publish(
  client: WireClient,
  count: number,
  delayOf: () => number,
  persistent: boolean,
): Promise<number> {
  const startMs = performance.now()
  let batch: Buffer = Buffer.alloc(0)
  for (let sent = 0; sent < count; sent += BATCH) {
    if (sent % WINDOW === 0) {
      await client.call("channel.flow", 1, { active: true })
      batch = frames(delayOf, persistent)
    }
    client.sendBytes(batch)
  }
  await client.call("channel.flow", 1, { active: true })
  return (count * 1000) / (performance.now() - startMs)
}

function frames(delayOf: () => number, persistent: boolean): Buffer {
  const parts: Buffer[] = []
  for (let i = 0; i < BATCH; i++) {
    const headers = new Map([["x-delay", new TypedNumber("I", delayOf())]])
    const properties = { headers, deliveryMode: persistent ? 2 : 1 }
    parts.push(encodePublish(1, { exchange: EXCHANGE, properties, body: BODY }))
  }
  return Buffer.concat(parts)
}

async function open(broker: BrokerProcess): Promise<WireClient> {
  const client = await WireClient.open(broker.port)
  await client.openChannel(1)
  await client.call("exchange.declare", 1, {
    exchange: EXCHANGE,
    type: "x-delayed-message",
    durable: true,
    arguments: tableFromPlain({ "x-delayed-type": "fanout" }),
  })
  await client.call("queue.declare", 1, { queue: QUEUE, durable: true })
  await client.call("queue.bind", 1, { queue: QUEUE, exchange: EXCHANGE })
  return client
}

/** Due in an hour or two, in no order. */
function anyTime(): number {
  return HOUR_MS + Math.trunc(Math.random() * HOUR_MS)
}

function waiting(bench: Bench): Promise<readonly Measurement[]> {
  const count = bench.isQuick ? 200_000 : 1_000_000
  return bench.withBroker([], async (broker, restart) => {
    const client = await open(broker)
    // So that code and buffers, which do not grow with the messages, are there before.
    await publish(client, count / 5, anyTime, true)
    const heapBefore = (await askProbe(broker)).heapUsedBytes
    const before = await settledRss(broker)
    const perSecond = await publish(client, count, anyTime, true)
    const heap = (await askProbe(broker)).heapUsedBytes
    const rssBytes = await settledRss(broker)
    client.destroy()
    const { broker: second, bootMs } = await restart()
    const again = await WireClient.open(second.port)
    again.destroy()
    const of = `${String(count)} delayed messages`
    const perMessage = (rssBytes - before) / count
    const heapPerMessage = (heap - heapBefore) / count
    return [
      { name: `publish ${of}`, value: perSecond, unit: "msg/s", rssBytes },
      {
        name: `memory per message of ${of}`,
        value: perMessage,
        unit: "bytes",
        limit: 50,
        note: `${perMessage.toFixed(1)} bytes, of them heap ${heapPerMessage.toFixed(1)}`,
      },
      { name: `start with ${of}`, value: bootMs, unit: "ms", rssBytes: second.rssBytes() },
    ]
  })
}

/** All due at one moment, from then until the last one is in its queue. */
function falling(bench: Bench): Promise<readonly Measurement[]> {
  const count = bench.isQuick ? 100_000 : 500_000
  const leadMs = bench.isQuick ? 4000 : 15_000
  return bench.withBroker([], async (broker) => {
    const client = await open(broker)
    const dueMs = Date.now() + leadMs
    await publish(client, count, () => dueMs - Date.now(), true)
    if (Date.now() > dueMs) throw new Error("publishing took longer than the delay")
    await pause(dueMs - Date.now())
    for (;;) {
      const { messageCount } = await client.call("queue.declare", 1, {
        queue: QUEUE,
        passive: true,
      })
      if (messageCount === count) break
      if (Date.now() > dueMs + 60_000) throw new Error(`${String(messageCount)} came`)
      await pause(5)
    }
    const value = (count * 1000) / (Date.now() - dueMs)
    client.destroy()
    const name = `${String(count)} delayed messages due at once`
    return [{ name, value, unit: "msg/s", rssBytes: broker.rssBytes() }]
  })
}
