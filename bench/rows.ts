/**
 * The rows of the benchmark, each with the floor that it must reach on an otherwise idle machine
 * with two cores. On a busy machine the ratio to the ceiling counts. Bodies have 16 bytes unless a
 * row says otherwise; queues are durable, messages transient, and the broker has its defaults.
 */
import { askProbe, measureLoad, pause, settledRss, withStub } from "./bench.ts"
import type { Bench, Measurement, Row } from "./bench.ts"
import { CLIENT_ROWS } from "./features/client.ts"
import { DELAYED_ROWS } from "./features/delayed.ts"
import { EXCHANGES_ROWS } from "./features/exchanges.ts"
import { HTTP_ROWS } from "./features/http.ts"
import { METRICS_ROWS } from "./features/metrics.ts"
import { POLICIES_ROWS } from "./features/policies.ts"
import { QUEUES_ROWS } from "./features/queues.ts"
import { RPC_ROWS } from "./features/rpc.ts"
import { SHOVEL_ROWS } from "./features/shovel.ts"
import { STREAMS_ROWS } from "./features/streams.ts"
import { WEBSOCKET_ROWS } from "./features/websocket.ts"
import { runLoad, startLoad } from "./load.ts"
import type { LoadResult } from "./load.ts"

const MILLION = 1e6
const MIB = 2 ** 20

interface FlowSpec {
  readonly name: string
  readonly title: string
  readonly args: readonly (string | number)[]
  readonly flags?: readonly string[]
  readonly bodySize?: number
  readonly floor: number
}

function flowRow(spec: FlowSpec): Row {
  const bodySize = spec.bodySize ?? 16
  const run = async (bench: Bench): Promise<readonly Measurement[]> => {
    const ceiling = await bench.ceiling(bodySize)
    return bench.withBroker(spec.flags ?? [], async (broker) => {
      const args = ["-t", bench.seconds, "-s", bodySize, "-d", 1, ...spec.args, "flow"]
      const { published = 0, consumed = 0, rssBytes, cpu } = await measureLoad(broker, args)
      const isPublishOnly = spec.args.join(" ").includes("-C 0")
      const value = isPublishOnly ? published : Math.min(published, consumed)
      const note = isPublishOnly ? "" : `in ${short(published)}, out ${short(consumed)}`
      const common = { unit: "msg/s", floor: spec.floor, ceiling, rssBytes, cpu } as const
      return [{ name: spec.title, value, note, ...common }]
    })
  }
  return { name: spec.name, run }
}

function short(value: number): string {
  return value >= MILLION ? `${(value / MILLION).toFixed(2)} M` : `${(value / 1000).toFixed(0)} k`
}

/** Fill, restart and drain share the backlog. */
const backlog: Row = {
  name: "backlog",
  run: async (bench) => {
    const count = bench.isQuick ? 10 * MILLION : 100 * MILLION
    const ceiling = await bench.ceiling(16)
    return bench.withBroker([], async (broker, restart) => {
      const before = await settledRss(broker)
      const args = ["-d", 1, "-n", count, "-s", 16]
      const fill = await measureLoad(broker, [...args, "fill"], 120)
      if (fill.ready !== count) throw new Error(`${String(fill.ready)} ready of ${String(count)}`)
      const rssBytes = await settledRss(broker)
      const { broker: second, bootMs } = await restart()
      const bootRss = second.rssBytes()
      const drain = await measureLoad(second, [...args, "drain"], 120)
      const of = `${short(count)} messages`
      return [
        {
          name: `fill ${of}`,
          value: fill.per_s ?? 0,
          unit: "msg/s",
          ceiling,
          rssBytes,
          cpu: fill.cpu,
        },
        {
          name: `memory that ${of} take`,
          value: rssBytes - before,
          unit: "bytes",
          limit: 30 * MIB,
        },
        { name: `start with ${of}`, value: bootMs, unit: "ms", limit: 2000, rssBytes: bootRss },
        {
          name: `drain ${of}, auto-ack`,
          value: drain.per_s ?? 0,
          unit: "msg/s",
          floor: 5 * MILLION,
          ceiling,
          rssBytes: drain.rssBytes,
          cpu: drain.cpu,
        },
      ]
    })
  },
}

/** Broker and echo by turns, since a ratio of figures from different moments says little. */
const PING_ROUNDS = 3

function pingRow(connections: number): Row {
  const run = (bench: Bench): Promise<readonly Measurement[]> =>
    withStub("bench/echo.ts", (echoPort) =>
      bench.withBroker([], async (broker) => {
        const args = ["-t", bench.isQuick ? 1 : 3, "-n", connections, "ping"]
        const rounds: PingRound[] = []
        for (let i = 0; i < PING_ROUNDS; i++) {
          const echo = await runLoad(echoPort, args, 60)
          const result = await measureLoad(broker, args)
          const value = result.roundtrips ?? 0
          const ceiling = echo.roundtrips ?? 0
          rounds.push({ value, ceiling, latency: result.latency_us, cpu: result.cpu })
        }
        const { value, ceiling, latency: at, cpu } = medianRound(rounds)
        return [
          {
            name: `ping, ${String(connections)} connection${connections > 1 ? "s" : ""}`,
            value,
            unit: "round trips/s",
            floor: ceiling / 1.3,
            ceiling,
            rssBytes: broker.rssBytes(),
            cpu,
            note: `p50 ${String(at?.p50)} µs, p99 ${String(at?.p99)} µs`,
          },
        ]
      }),
    )
  return { name: "ping", run }
}

interface PingRound {
  readonly value: number
  readonly ceiling: number
  readonly latency: LoadResult["latency_us"]
  readonly cpu: number
}

function medianRound(rounds: readonly PingRound[]): PingRound {
  const sorted = rounds.toSorted((a, b) => a.value / a.ceiling - b.value / b.ceiling)
  return sorted[rounds.length >> 1]!
}

const idle: Row = {
  name: "idle",
  run: (bench) =>
    bench.withBroker([], async (broker) => {
      const count = 8000
      const before = await settledRss(broker)
      const load = startLoad(broker.port, ["-t", 60, "-n", count, "idle"])
      try {
        await load.ready()
        const rssBytes = await settledRss(broker)
        const value = (rssBytes - before) / count
        const name = `memory of an idle connection (of ${String(count)})`
        return [{ name, value, unit: "bytes", limit: 20 * 1024, rssBytes }]
      } finally {
        load.child.kill("SIGKILL")
      }
    }),
}

const queues: Row = {
  name: "queues",
  run: (bench) =>
    bench.withBroker(["--no-sync"], async (broker, restart) => {
      const count = 100_000
      const before = await settledRss(broker)
      const ceiling = await bench.roundTrips()
      const declared = await measureLoad(broker, ["-d", 1, "-n", count, "declare"], 120)
      const rssBytes = await settledRss(broker)
      const { broker: second, bootMs } = await restart()
      return [
        {
          name: "durable queues declared one by one, no-sync",
          value: declared.per_s ?? 0,
          unit: "op/s",
          floor: 20_000,
          ceiling,
          cpu: declared.cpu,
        },
        {
          name: `memory of a durable queue (of ${String(count)})`,
          value: (rssBytes - before) / count,
          unit: "bytes",
          limit: 1536,
          rssBytes,
        },
        {
          name: `start with ${String(count)} queues`,
          value: bootMs,
          unit: "ms",
          limit: 3000,
          rssBytes: second.rssBytes(),
        },
      ]
    }),
}

const spread: Row = {
  name: "spread",
  run: (bench) =>
    bench.withBroker(["--no-sync"], async (broker) => {
      const count = 10_000
      const args = ["-t", bench.seconds, "-d", 1, "-n", count, "-P", 100, "-r", count, "spread"]
      const load = startLoad(broker.port, args)
      await load.ready()
      await pause(1000) // The generator's own warm-up.
      broker.child.send("reset")
      const cpuBefore = broker.cpuSeconds()
      await pause(bench.seconds * 1000)
      const report = await askProbe(broker)
      const cpu = (broker.cpuSeconds() - cpuBefore) / bench.seconds
      if (load.child.exitCode === null)
        await new Promise((resolve) => load.child.on("close", resolve))
      const line = load.output().trim().split("\n").at(-1) ?? "{}"
      const result: LoadResult = JSON.parse(line)
      const { consumed = 0, latency_us } = result
      if (consumed < count * 0.95)
        throw new Error(`only ${String(consumed)} msg/s arrived: ${load.errors()}`)
      return [
        {
          name: "event-loop delay p99, 10,000 consumers on 10,000 queues, 10,000 msg/s",
          value: report.loopDelayMs.p99,
          unit: "ms",
          limit: 20,
          rssBytes: broker.rssBytes(),
          cpu,
          note: `max ${report.loopDelayMs.max.toFixed(1)} ms; latency p50 ${String(latency_us?.p50)} µs, p99 ${String(latency_us?.p99)} µs`,
        },
      ]
    }),
}

const latency: Row = {
  name: "latency",
  run: (bench) =>
    bench.withBroker([], async (broker) => {
      const args = ["-t", bench.seconds, "-d", 1, "-r", 10_000, "-P", 1, "-C", 1, "flow"]
      const { consumed = 0, latency_us, rssBytes, cpu } = await measureLoad(broker, args)
      if (consumed < 9000) throw new Error(`only ${String(consumed)} msg/s arrived`)
      const value = (latency_us?.p99 ?? Number.NaN) / 1000
      const note = `p50 ${String(latency_us?.p50)} µs`
      return [
        { name: "latency p99 at 10,000 msg/s", value, unit: "ms", limit: 2, rssBytes, cpu, note },
      ]
    }),
}

function bindRow(title: string, durable: number, floor: number): Row {
  return {
    name: "bind",
    run: (bench) =>
      bench.withBroker(["--no-sync"], async (broker) => {
        const args = ["-d", durable, "-n", 50_000, "bind"]
        const ceiling = await bench.roundTrips()
        const { per_s = 0, rssBytes, cpu } = await measureLoad(broker, args)
        return [{ name: title, value: per_s, unit: "op/s", floor, ceiling, rssBytes, cpu }]
      }),
  }
}

const CONFIRMED = ["-P", 1, "-C", 1, "-m", 1, "-a", 1000] as const

export const ROWS: readonly Row[] = [
  flowRow({
    name: "flow",
    title: "publish and consume, auto-ack",
    args: ["-P", 1, "-C", 1],
    floor: 3.5 * MILLION,
  }),
  flowRow({
    name: "publish",
    title: "publish only",
    args: ["-P", 1, "-C", 0],
    floor: 5.5 * MILLION,
  }),
  backlog,
  flowRow({
    name: "durable",
    title: "persistent, confirms after fdatasync (window 2,000), acks",
    args: [...CONFIRMED, "-c", 2000],
    floor: 1.2 * MILLION,
  }),
  flowRow({
    name: "durable",
    title: "the same, window 20,000",
    args: [...CONFIRMED, "-c", 20_000],
    floor: 1.2 * MILLION,
  }),
  flowRow({
    name: "durable",
    title: "the same, window 2,000, no-sync",
    args: [...CONFIRMED, "-c", 2000],
    flags: ["--no-sync"],
    floor: 1.2 * MILLION,
  }),
  flowRow({
    name: "flow-1k",
    title: "1 KiB bodies, publish and consume, auto-ack",
    args: ["-P", 1, "-C", 1],
    bodySize: 1024,
    floor: 450_000,
  }),
  pingRow(1),
  pingRow(100),
  pingRow(1000),
  idle,
  queues,
  spread,
  latency,
  bindRow("bindings to amq.direct, durable, no-sync", 1, 20_000),
  bindRow("bindings to amq.direct, transient", 0, 40_000),
  ...EXCHANGES_ROWS,
  ...HTTP_ROWS,
  ...METRICS_ROWS,
  ...POLICIES_ROWS,
  ...STREAMS_ROWS,
  ...CLIENT_ROWS,
  ...SHOVEL_ROWS,
  ...RPC_ROWS,
  ...WEBSOCKET_ROWS,
  ...DELAYED_ROWS,
  ...QUEUES_ROWS,
]
