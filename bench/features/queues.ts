/**
 * What queues do with messages that are there: let them expire, move them to a dead letter queue, hand
 * them out by priority. The broker runs in this process, so that a policy can set it all off at one
 * moment and the counts can be looked at; what is measured is its work alone.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { encodePublish } from "../../src/amqp/content.ts"
import { EMPTY_TABLE, tableFromPlain, type PlainRecord } from "../../src/amqp/table.ts"
import type { Subscriber } from "../../src/broker/consumer.ts"
import type { Vhost } from "../../src/broker/vhost.ts"
import { startBroker } from "../../src/server/start-broker.ts"
import { WireClient } from "../../test/support/wire-client.ts"
import type { Bench, Measurement, Row } from "../bench.ts"

const BODY = Buffer.alloc(16, "x")
/** Messages that are sent at a time. */
const BATCH = 1000
const WINDOW = 20_000
const DEAD = "bench.dead"

interface Stage {
  readonly client: WireClient
  readonly vhost: Vhost
  declare(queue: string, args?: PlainRecord): Promise<void>
}

export const QUEUES_ROWS: readonly Row[] = [
  {
    name: "queue-features",
    run: (bench) => ending(bench, "expired messages dropped", false, false),
  },
  { name: "queue-features", run: (bench) => ending(bench, "dead letters, transient", true, false) },
  { name: "queue-features", run: (bench) => ending(bench, "dead letters, persistent", true, true) },
  { name: "queue-features", run: priorities },
]

async function onStage<T>(work: (stage: Stage) => Promise<T>): Promise<T> {
  const dataDirectory = mkdtempSync(join(process.env["BENCH_DIR"] ?? tmpdir(), "sluice-bench-"))
  const broker = await startBroker({ dataDirectory, amqp: { port: 0 } })
  try {
    const client = await WireClient.open(broker.amqpPort)
    await client.openChannel(1)
    const declare = async (queue: string, args: PlainRecord = {}): Promise<void> =>
      void (await client.call("queue.declare", 1, {
        queue,
        durable: true,
        arguments: tableFromPlain(args),
      }))
    const result = await work({ client, vhost: broker.broker.vhosts.get("/")!, declare })
    client.destroy()
    return result
  } finally {
    await broker.close()
    rmSync(dataDirectory, { recursive: true, force: true })
  }
}

async function fill(client: WireClient, count: number, batch: Buffer): Promise<void> {
  for (let sent = 0; sent < count; sent += BATCH) {
    client.sendBytes(batch)
    if (sent % WINDOW === 0) await client.call("channel.flow", 1, { active: true })
  }
  await client.call("channel.flow", 1, { active: true })
}

/** Many messages expire at one moment, by a policy. */
async function ending(
  bench: Bench,
  name: string,
  hasDeadLetters: boolean,
  persistent: boolean,
): Promise<readonly Measurement[]> {
  const count = bench.isQuick ? 200_000 : 1_000_000
  return onStage(async (stage) => {
    const { client, vhost } = stage
    await stage.declare(DEAD)
    await stage.declare(
      "bench.source",
      hasDeadLetters ? { "x-dead-letter-exchange": "", "x-dead-letter-routing-key": DEAD } : {},
    )
    const properties = { deliveryMode: persistent ? 2 : 1 }
    const one = encodePublish(1, { routingKey: "bench.source", properties, body: BODY })
    await fill(client, count, Buffer.concat(Array.from({ length: BATCH }, () => one)))
    const source = vhost.queues.get("bench.source")!
    const dead = vhost.queues.get(DEAD)!
    const startMs = performance.now()
    await vhost.policies.set("end", { pattern: "^bench.source$", definition: { "message-ttl": 1 } })
    const isDone = (): boolean =>
      source.readyCount + source.unackedCount === 0 &&
      (!hasDeadLetters || dead.readyCount === count)
    while (!isDone()) await new Promise((resolve) => setImmediate(resolve))
    const value = (count * 1000) / (performance.now() - startMs)
    const floor = hasDeadLetters ? 200_000 : 500_000
    return [{ name: `${name}, ${String(count)} at once`, value, unit: "msg/s", floor }]
  })
}

/** Takes everything, as a consumer without acknowledgements whose connection costs nothing. */
class Sink implements Subscriber {
  readonly tag = "sink"
  readonly noAck = true
  readonly exclusive = false
  readonly priority = 0
  readonly arguments = EMPTY_TABLE
  readonly credit = 1
  cancelled = false
  parked = false

  hasCapacity(): boolean {
    return true
  }

  deliver(): void {}

  passOn(): void {}

  queueDeleted(): void {}
}

async function priorities(bench: Bench): Promise<readonly Measurement[]> {
  const count = bench.isQuick ? 200_000 : 1_000_000
  return onStage(async (stage) => {
    const { client, vhost } = stage
    await stage.declare("bench.priority", { "x-max-priority": 10 })
    const parts: Buffer[] = []
    for (let i = 0; i < BATCH; i++) {
      const properties = { deliveryMode: 1, priority: (i * 7) % 11 }
      parts.push(encodePublish(1, { routingKey: "bench.priority", properties, body: BODY }))
    }
    const startMs = performance.now()
    await fill(client, count, Buffer.concat(parts))
    const publishedMs = performance.now()
    const queue = vhost.queues.get("bench.priority")!
    queue.addSubscriber(new Sink())
    while (queue.deliveredCount < count) await new Promise((resolve) => setImmediate(resolve))
    const consumedMs = performance.now()
    return [
      {
        name: "priority queue, publish",
        value: (count * 1000) / (publishedMs - startMs),
        unit: "msg/s",
        note: "client in the same process",
      },
      {
        name: "priority queue, consume",
        value: (count * 1000) / (consumedMs - publishedMs),
        unit: "msg/s",
        note: "to a consumer without a socket",
      },
    ]
  })
}
