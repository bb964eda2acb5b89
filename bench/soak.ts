/**
 * Churns connections, channels, consumers and queues for a number of minutes and then looks whether
 * memory, file descriptors and timers are where they were: `node bench/soak.ts 10`. Fails if not.
 * Measures no speed.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { connect } from "amqplib"
import type { ChannelModel } from "amqplib"
import { BrokerProcess } from "../test/support/broker-process.ts"
import { eventually } from "../test/support/eventually.ts"
import { chooseSeed, createRandom } from "../test/support/seed.ts"
import type { Random } from "../test/support/seed.ts"
import { askProbe, settledRss } from "./bench.ts"

const WORKERS = 16
/** Caches, compiled code and pools may grow while the process is young, by this much. */
const RSS_GROWTH_MAX_BYTES = 32 * 2 ** 20
const HEAP_GROWTH_MAX_BYTES = 8 * 2 ** 20
/** Part of the time after which the process counts as warm. */
const WARM_SHARE = 0.2

interface Snapshot {
  readonly rssBytes: number
  readonly heapUsedBytes: number
  readonly openFiles: number
  readonly timers: number
}

interface Tally {
  rounds: number
  messages: number
  aborts: number
  readonly failures: string[]
}

async function main(): Promise<void> {
  const minutes = Number(process.argv[2] ?? 10)
  if (!(minutes > 0)) throw new RangeError("how many minutes?")
  const random = createRandom(chooseSeed("soak"))
  const dataDirectory = mkdtempSync(join(tmpdir(), "sluice-soak-"))
  const broker = await BrokerProcess.start({
    dataDirectory,
    flags: ["--log-level", "warn"],
    nodeFlags: ["--expose-gc", "--import", "./bench/probe.ts"],
  })
  try {
    const cold = await takeSnapshot(broker)
    const tally: Tally = { rounds: 0, messages: 0, aborts: 0, failures: [] }
    const totalMs = minutes * 60_000
    await churn(broker, totalMs * WARM_SHARE, random, tally)
    const warm = await afterQuiet(broker, cold)
    report("warm", warm, tally)
    await churn(broker, totalMs * (1 - WARM_SHARE), random, tally)
    const end = await afterQuiet(broker, cold)
    report("end", end, tally)
    const problems = compare(cold, warm, end).concat(tally.failures.slice(0, 10))
    if (broker.stderr !== "") problems.push(`the broker wrote: ${broker.stderr.slice(0, 2000)}`)
    console.log(problems.length === 0 ? "soak passed" : `soak FAILED:\n${problems.join("\n")}`)
    process.exitCode = problems.length === 0 ? 0 : 1
  } finally {
    await broker.stop("SIGKILL")
    rmSync(dataDirectory, { recursive: true, force: true })
  }
}

async function churn(
  broker: BrokerProcess,
  durationMs: number,
  random: Random,
  tally: Tally,
): Promise<void> {
  const endMs = performance.now() + durationMs
  const work = async (worker: number): Promise<void> => {
    while (performance.now() < endMs && tally.failures.length < 10)
      try {
        await round(broker.url, worker, random, tally)
      } catch (error) {
        tally.failures.push(error instanceof Error ? (error.stack ?? error.message) : String(error))
      }
  }
  await Promise.all(Array.from({ length: WORKERS }, (_, worker) => work(worker)))
}

/** One life of a connection. Every queue that it leaves behind is one that ends with it. */
async function round(url: string, worker: number, random: Random, tally: Tally): Promise<void> {
  const connection = await connect(url)
  connection.on("error", () => {})
  tally.rounds++
  const durable: string[] = []
  const channelCount = 1 + random.below(4)
  for (let index = 0; index < channelCount; index++) {
    const channel = await connection.createConfirmChannel()
    channel.on("error", () => {})
    const isExclusive = random.chance(0.6)
    const name = isExclusive ? "" : `soak.${String(worker)}.${String(index)}`
    const queue = await channel.assertQueue(name, { durable: !isExclusive, exclusive: isExclusive })
    if (!isExclusive) durable.push(queue.queue)
    const key = `key.${String(random.below(5))}`
    await channel.bindQueue(queue.queue, random.pick(["amq.topic", "amq.direct"]), key)
    await channel.prefetch(random.below(50))
    const ackShare = random.pick([0, 0.5, 1])
    const consumer = await channel.consume(queue.queue, (message) => {
      if (message !== null && random.chance(ackShare)) channel.ack(message)
    })
    const count = random.below(200)
    const body = random.bytes(random.pick([0, 10, 1000, 40_000]))
    for (let i = 0; i < count; i++)
      channel.publish("", queue.queue, body, { persistent: !isExclusive })
    await channel.waitForConfirms()
    tally.messages += count
    if (random.chance(0.3)) await channel.cancel(consumer.consumerTag)
    if (random.chance(0.3)) await channel.close()
  }
  await leave(connection, durable, random, tally)
}

async function leave(
  connection: ChannelModel,
  durable: readonly string[],
  random: Random,
  tally: Tally,
): Promise<void> {
  const cleaner = await connection.createChannel()
  for (const queue of durable) await cleaner.deleteQueue(queue)
  if (random.chance(0.7)) {
    await connection.close()
    return
  }
  tally.aborts++
  // amqplib has no public way to lose its socket; a peer that resets does.
  Object(connection.connection).stream?.destroy(new Error("cut"))
}

async function takeSnapshot(broker: BrokerProcess): Promise<Snapshot> {
  const probe = await askProbe(broker)
  return {
    rssBytes: await settledRss(broker),
    heapUsedBytes: probe.heapUsedBytes,
    openFiles: broker.openFileCount(),
    timers: probe.resources["Timeout"] ?? 0,
  }
}

/** Waits until the sockets are gone; what stays open shows in the comparison. */
async function afterQuiet(broker: BrokerProcess, cold: Snapshot): Promise<Snapshot> {
  const noSockets = (): void => {
    if (broker.openFileCount() > cold.openFiles + DEFINITIONS_LOG) throw new Error("still open")
  }
  await eventually(noSockets, { timeoutMs: 15_000 }).catch(() => {})
  return takeSnapshot(broker)
}

/** definitions.amqp stays open from the first durable declaration on. */
const DEFINITIONS_LOG = 1

function compare(cold: Snapshot, warm: Snapshot, end: Snapshot): string[] {
  const problems: string[] = []
  const grew = (what: string, from: number, to: number, max: number): void => {
    if (to - from > max) problems.push(`${what} went from ${String(from)} to ${String(to)}`)
  }
  grew("open files", cold.openFiles, end.openFiles, DEFINITIONS_LOG)
  grew("timers", cold.timers, end.timers, 0)
  grew("resident memory", warm.rssBytes, end.rssBytes, RSS_GROWTH_MAX_BYTES)
  grew("heap", warm.heapUsedBytes, end.heapUsedBytes, HEAP_GROWTH_MAX_BYTES)
  return problems
}

function report(when: string, snapshot: Snapshot, tally: Tally): void {
  console.log(
    `${when}: RSS ${mib(snapshot.rssBytes)} MiB, heap ${mib(snapshot.heapUsedBytes)} MiB, ` +
      `${String(snapshot.openFiles)} files, ${String(snapshot.timers)} timers after ` +
      `${String(tally.rounds)} connections (${String(tally.aborts)} aborted), ${String(tally.messages)} messages`,
  )
}

function mib(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1)
}

await main()
