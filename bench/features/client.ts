/**
 * The load generators beside each other: sluiceperf, which is the internal client in a thread, and amqpload,
 * by turns against the same broker in a process of its own. The broker is what is to be measured, so the ratio
 * should be near one and the broker busy with either; on two cores both share them with it.
 */
import { pause, runningMeasurement } from "../bench.ts"
import type { Bench, Measurement, Row } from "../bench.ts"
import { startLoad } from "../load.ts"
import type { LoadResult } from "../load.ts"
import { RunningProcess } from "../../test/support/broker-process.ts"
import type { BrokerProcess } from "../../test/support/broker-process.ts"

const MILLION = 1e6
const ROUNDS = 3
/** amqpload's own, before it counts. */
const WARM_UP_MS = 1200
/** The generator has ended by the end of its last half second, or nearly. */
const TAIL_MS = 500
/** amqpload says no goodbye, which the broker would report. */
const QUIET = ["--log-level", "error"]

interface Pair {
  readonly title: string
  readonly load: readonly (string | number)[]
  readonly perf: readonly string[]
  /** Of the ratio. */
  readonly floor: number
}

interface Side {
  readonly rate: number
  /** Processor time of the broker per second. */
  readonly brokerShare: number
  /** Processor time of the generator per message, in ns. */
  readonly costNs: number
}

function pairRow(pair: Pair): Row {
  const run = (bench: Bench): Promise<readonly Measurement[]> =>
    bench.withBroker(QUIET, async (broker) => {
      const rounds: { readonly load: Side; readonly perf: Side }[] = []
      for (let i = 0; i < (bench.isQuick ? 1 : ROUNDS); i++) {
        const seconds = bench.isQuick ? 3 : 4
        const load = await amqpload(broker, seconds, pair.load)
        rounds.push({ load, perf: await sluiceperf(broker, seconds, pair.perf) })
      }
      rounds.sort((a, b) => a.perf.rate / a.load.rate - b.perf.rate / b.load.rate)
      const { load, perf } = rounds[rounds.length >> 1]!
      return [
        {
          name: `sluiceperf to amqpload: ${pair.title}`,
          value: perf.rate / load.rate,
          unit: "ratio",
          floor: pair.floor,
          rssBytes: broker.rssBytes(),
          cpu: perf.brokerShare,
          note: `${describe(perf)} to ${describe(load)}`,
        },
      ]
    })
  return { name: "client", run }
}

function describe({ rate, brokerShare, costNs }: Side): string {
  const messages =
    rate >= MILLION ? `${(rate / MILLION).toFixed(2)} M` : `${(rate / 1000).toFixed(1)} k`
  return `${messages} (broker ${(brokerShare * 100).toFixed(0)} %, generator ${costNs.toFixed(0)} ns each)`
}

async function amqpload(
  broker: BrokerProcess,
  seconds: number,
  args: readonly (string | number)[],
): Promise<Side> {
  const load = startLoad(broker.port, ["-d", 1, "-q", "load", "-t", seconds, ...args, "flow"])
  await pause(WARM_UP_MS)
  const shares = await runningMeasurement(
    [broker.pid, load.child.pid ?? 0],
    seconds * 1000 - TAIL_MS,
  )
  if (load.child.exitCode === null)
    await new Promise((resolve) => void load.child.once("close", resolve))
  const line = load.output().trim().split("\n").at(-1) ?? ""
  if (!line.startsWith("{")) throw new Error(`amqpload: ${load.errors()}`)
  const { published = 0, consumed = 0 }: LoadResult = JSON.parse(line)
  return sideOf(Math.min(published, consumed), shares)
}

/** What it shows of each second; in the first one the compiler is still at work. */
async function sluiceperf(
  broker: BrokerProcess,
  seconds: number,
  flags: readonly string[],
): Promise<Side> {
  const load = new RunningProcess([
    "src/bin/sluiceperf.ts",
    "throughput",
    "--uri",
    broker.url,
    "-z",
    String(seconds + 1.5),
    ...(flags.includes("--queue-pattern") ? [] : ["-u", "load"]),
    ...flags,
  ])
  await load.waitForOutput(/Publish rate/)
  const shares = await runningMeasurement([broker.pid, load.pid], seconds * 1000 - TAIL_MS)
  const { code } = await load.exited()
  if (code !== 0) throw new Error(`sluiceperf: ${load.stderr}`)
  const lines = [...load.stdout.matchAll(/^Publish rate: (\d+) \S+ Consume rate: (\d+)/gm)].slice(1)
  const sum = (group: number): number =>
    lines.reduce((total, line) => total + Number(line[group]), 0)
  return sideOf(Math.min(sum(1), sum(2)) / lines.length, shares)
}

function sideOf(rate: number, [brokerShare = 0, share = 0]: readonly number[]): Side {
  return { rate, brokerShare, costNs: (share / rate) * 1e9 }
}

const ONE = ["-P", 1, "-C", 1] as const
const TEN_QUEUES = ["--queue-pattern", "load.%", "--queue-pattern-from", "0"] as const

export const CLIENT_ROWS: readonly Row[] = [
  pairRow({ title: "16 bytes", load: [...ONE, "-s", 16], perf: ["-s", "16"], floor: 0.95 }),
  pairRow({ title: "1 KiB", load: [...ONE, "-s", 1024], perf: ["-s", "1024"], floor: 0.95 }),
  pairRow({ title: "16 KiB", load: [...ONE, "-s", 16_384], perf: ["-s", "16384"], floor: 0.9 }),
  pairRow({
    title: "confirms, window 1",
    load: [...ONE, "-s", 16, "-c", 1],
    perf: ["-s", "16", "-c", "1"],
    floor: 0.7,
  }),
  pairRow({
    title: "confirms, window 1,000",
    load: [...ONE, "-s", 16, "-c", 1000],
    perf: ["-s", "16", "-c", "1000"],
    floor: 0.95,
  }),
  pairRow({
    title: "persistent, window 1,000, acks",
    load: [...ONE, "-s", 16, "-m", 1, "-c", 1000, "-a", 1000],
    perf: ["-s", "16", "-p", "-c", "1000", "-P", "1000", "-a", "100"],
    floor: 0.95,
  }),
  pairRow({
    title: "100 connections, window 100",
    load: ["-P", 50, "-C", 50, "-s", 16, "-c", 100],
    perf: ["-x", "50", "-y", "50", "-s", "16", "-c", "100"],
    floor: 0.9,
  }),
  pairRow({
    title: "10 queues, 10 publishers, 10 consumers",
    load: ["-P", 10, "-C", 10, "-Q", 10, "-s", 16, "-c", 1000],
    perf: ["-x", "10", "-y", "10", ...TEN_QUEUES, "--queue-pattern-to", "9", "-c", "1000"],
    floor: 0.4,
  }),
]
