/** Command line, rate limiter, latencies and reports of sluiceperf. */
import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { test } from "node:test"
import { PERF_PAGE, withModeTables } from "../../../scripts/perf-docs.ts"
import { formatModeHelp, parsePerfArguments } from "../../../src/perf/command-line.ts"
import { LatencyRecorder, Reservoir, reservoirBytes, summarize } from "../../../src/perf/latency.ts"
import { MODES } from "../../../src/perf/modes.ts"
import type { FlagValues } from "../../../src/perf/modes.ts"
import { RateLimiter } from "../../../src/perf/rate-limiter.ts"
import { formatChurn, formatJson, formatProgress, formatSummary } from "../../../src/perf/report.ts"
import { throughputSettings } from "../../../src/perf/settings.ts"
import { defaultThreads } from "../../../src/perf/throughput.ts"
import { ManualClock } from "../../../src/util/clock.ts"
import { chooseSeed, createRandom } from "../../support/seed.ts"

const FACTS = { version: "1.2.3", build: "Sluice 1.2.3" }

function valuesOf(...args: string[]): FlagValues {
  const invocation = parsePerfArguments(args, FACTS)
  assert.ok(invocation.kind === "run", JSON.stringify(invocation))
  return invocation.values
}

function errorOf(...args: string[]): string {
  const invocation = parsePerfArguments(args, FACTS)
  assert.ok(invocation.kind === "error", JSON.stringify(invocation))
  return invocation.message
}

test("flags in every form, with and without the protocol", () => {
  for (const args of [
    ["throughput", "-x", "2", "-y3", "--size=100", "-u", ""],
    ["amqp", "throughput", "--producers", "2", "--consumers=3", "-s100", "--queue="],
  ]) {
    const settings = throughputSettings(valuesOf(...args))
    assert.equal(settings.publishers, 2)
    assert.equal(settings.consumers, 3)
    assert.equal(settings.size, 100)
    assert.deepEqual(settings.queues, [""])
    assert.equal(settings.uri, "amqp://guest:guest@localhost")
  }
})

test("PerfTest's names mean the same", () => {
  const values = valuesOf(
    ..."throughput --qos 10 --multi-ack-every 5 --flag persistent --rate 1.5".split(" "),
  )
  assert.equal(values.number("prefetch"), 10)
  assert.equal(values.number("ack"), 5)
  assert.equal(values.number("rate"), 1.5)
  assert.ok(values.isOn("persistent"))
  assert.equal(valuesOf("throughput", "-a", "5", "--autoack").number("ack"), 0)
})

test("a broker on this machine keeps a processor for itself", () => {
  for (const uri of [
    "amqp://",
    "amqp://u:p@localhost:5673/v",
    "amqp://127.0.0.2",
    "amqps://[::1]",
    "amqp+unix:///run/a.sock",
  ])
    assert.deepEqual(
      [1, 2, 8].map((processors) => defaultThreads(uri, processors)),
      [1, 1, 7],
      uri,
    )
  for (const uri of ["amqp://mq.example", "amqp://10.0.0.1", "amqp://localhost.example"])
    assert.equal(defaultThreads(uri, 8), 8, uri)
})

test("properties and queue patterns", () => {
  const settings = throughputSettings(
    valuesOf(
      ..."throughput -p --queue-pattern q-% --queue-pattern-from 3 --queue-pattern-to 5".split(" "),
      "--properties",
      '{"content_type":"a/b","priority":4}',
    ),
  )
  assert.deepEqual(settings.queues, ["q-3", "q-4", "q-5"])
  const bytes = Buffer.from([0x98, 0, 3, 0x61, 0x2f, 0x62, 2, 4])
  assert.deepEqual(Buffer.from(settings.properties), bytes)
  for (const bad of ['{"colour":1}', '{"priority":300}', '{"headers":3}', '{"type":{}}'])
    assert.throws(() => throughputSettings(valuesOf("throughput", "--properties", bad)), /propert/)
})

test("what makes no sense is an error in one line", () => {
  assert.match(errorOf("nonsense"), /unknown mode 'nonsense'/)
  assert.match(errorOf("throughput", "--nonsense"), /unknown option '--nonsense'/)
  assert.match(errorOf("throughput", "-x", "many"), /whole number/)
  assert.match(errorOf("throughput", "-x", "-1"), /whole number/)
  assert.match(errorOf("throughput", "-P", "70000"), /65535/)
  assert.match(errorOf("throughput", "extra"), /too many arguments/)
  assert.match(errorOf("throughput", "--queue-args", "[]"), /JSON object/)
  assert.match(errorOf("throughput", "-l", "-s", "7"), /at least 8 bytes/)
  assert.match(errorOf("throughput", "-x0", "-y0"), /neither/)
  assert.match(errorOf("throughput", "--queue-pattern", "q"), /needs a %/)
  assert.match(errorOf("connection-count", "-k", "soon"), /IDLE/)
  assert.match(errorOf("mqtt", "throughput"), /AMQP only/)
  assert.match(errorOf(), /which mode/)
})

test("help, version and build facts are printed", () => {
  for (const [args, pattern] of [
    [["--help"], /connection-churn/],
    [["-v"], /^1\.2\.3\n$/],
    [["throughput", "--version"], /^1\.2\.3\n$/],
    [["queue-count", "--build-info"], /^Sluice 1\.2\.3\n$/],
    [["throughput", "-h"], /--measure-latency/],
  ] as const) {
    const invocation = parsePerfArguments(args, FACTS)
    assert.ok(invocation.kind === "print")
    assert.match(invocation.text, pattern)
  }
})

test("no mode has a flag twice, and its help shows all", () => {
  for (const mode of MODES) {
    const names = mode.flags.flatMap(({ flags, aliases = [] }) => [...flags, ...aliases])
    assert.equal(new Set(names).size, names.length, mode.name)
    const help = formatModeHelp(mode)
    for (const { flags } of mode.flags)
      for (const flag of flags) assert.ok(help.includes(flag), flag)
  }
})

test("a rate is exact over time, also below one a tick and with irregular ticks", () => {
  const random = createRandom(chooseSeed("rate limiter"))
  for (const rate of [0.5, 3, 333.3, 1000, 123_456.7]) {
    const clock = new ManualClock()
    const limiter = new RateLimiter(rate, clock.nowMs)
    let sent = 0
    const endMs = clock.nowMs + 60_000
    while (clock.nowMs < endMs) {
      const waitMs = limiter.waitMs(clock.nowMs)
      clock.advance(Math.min(Math.max(waitMs, random.below(50) / 7), endMs - clock.nowMs))
      const due = limiter.due(clock.nowMs)
      limiter.take(due)
      sent += due
      assert.ok(limiter.due(clock.nowMs) === 0 && limiter.waitMs(clock.nowMs) > 0)
    }
    assert.ok(Math.abs(sent - rate * 60) <= 1, `${String(sent)} at ${String(rate)}/s`)
  }
})

test("percentiles of few latencies are exact, and of several threads weighted", () => {
  const reservoir = new Reservoir(new SharedArrayBuffer(reservoirBytes(1000)), 1)
  for (let i = 1000; i > 0; i--) reservoir.add(i)
  reservoir.publish()
  const summary = summarize([reservoir])
  assert.deepEqual(summary, {
    minMs: 1,
    medianMs: 500,
    p75Ms: 750,
    p95Ms: 950,
    p99Ms: 990,
    count: 1000,
    sampleSize: 1000,
  })
  // 100,000 times one, sampled by 100 of them, beside 1,000 larger ones: the median is one.
  const many = new Reservoir(new SharedArrayBuffer(reservoirBytes(100)), 7)
  for (let i = 0; i < 100_000; i++) many.add(1)
  many.publish()
  assert.equal(summarize([many, reservoir])?.medianMs, 1)
  assert.equal(summarize([]), null)
})

test("a full reservoir stays a fair sample", () => {
  const seed = chooseSeed("reservoir")
  const reservoir = new Reservoir(new SharedArrayBuffer(reservoirBytes(4096)), seed)
  for (let i = 0; i < 400_000; i++) reservoir.add(i / 4000)
  reservoir.publish()
  const { medianMs, p99Ms, count, sampleSize } = summarize([reservoir])!
  assert.equal(count, 400_000)
  assert.equal(sampleSize, 4096)
  assert.ok(Math.abs(medianMs - 50) < 5 && Math.abs(p99Ms - 99) < 1, `${medianMs} ${p99Ms}`)
})

test("the latencies of a second begin anew with it, those of the run go on", () => {
  const memory = new SharedArrayBuffer(reservoirBytes(10))
  const recentMemory = new SharedArrayBuffer(reservoirBytes(10))
  const second = new Int32Array(new SharedArrayBuffer(4))
  const recorder = new LatencyRecorder(
    new Reservoir(memory, 1),
    new Reservoir(recentMemory, 2),
    second,
  )
  // Another thread looks at the same memory.
  const all = new Reservoir(memory, 3)
  const recent = new Reservoir(recentMemory, 4)
  const addRun = (latencies: readonly number[]): void => {
    recorder.beginRun()
    for (const ms of latencies) recorder.add(ms)
    recorder.endRun()
  }
  addRun(Array.from({ length: 40 }, () => 5))
  assert.deepEqual([all.count, recent.count, recent.minMs], [40, 40, 5])
  Atomics.add(second, 0, 1)
  addRun([7, 8])
  assert.deepEqual([all.count, all.minMs, recent.count, recent.minMs], [42, 5, 2, 7])
  assert.equal(summarize([recent])?.p99Ms, 8)
})

test("reports have lavinmqperf's words and keys", () => {
  const latency = {
    minMs: 0.1,
    medianMs: 0.2,
    p75Ms: 0.3,
    p95Ms: 0.4,
    p99Ms: 0.5,
    count: 10,
    sampleSize: 9,
  }
  const result = { elapsedSeconds: 2, published: 2001, consumed: 1000, latency }
  assert.equal(formatProgress(1.4, 2.6, null), "Publish rate: 1 msgs/s Consume rate: 3 msgs/s")
  assert.match(
    formatProgress(1, 2, latency),
    / \| Latency \(ms\) min\/median\/75th\/95th\/99th: 0\.100\/0\.200\/0\.300\/0\.400\/0\.500$/,
  )
  assert.match(
    formatSummary({ ...result, latency: null }),
    /^\nSummary:\nAverage publish rate: 1001 msgs\/s\nAverage consume rate: 500 msgs\/s\n$/,
  )
  assert.deepEqual(JSON.parse(formatJson(result)), {
    elapsed_seconds: 2,
    avg_pub_rate: 1001,
    avg_consume_rate: 500,
    published: 2001,
    consumed: 1000,
    latency_min_ms: 0.1,
    latency_median_ms: 0.2,
    latency_p75_ms: 0.3,
    latency_p95_ms: 0.4,
    latency_p99_ms: 0.5,
    latency_count: 10,
    latency_sample_size: 9,
  })
  const churn = formatChurn([
    { name: "a", count: 1, meanSeconds: 0.001, deviation: 0.1 },
    { name: "bb", count: 1, meanSeconds: 0.002, deviation: 0 },
  ])
  assert.match(
    churn,
    /^a {6}1\.00k \( {2}1\.00ms\) \(± 10\.00%\) {2}fastest\nbb .* 2\.00× slower\n$/,
  )
})

test("docs/sluiceperf.md shows every flag as it is", () => {
  const page = readFileSync(PERF_PAGE, "utf8")
  assert.equal(page, withModeTables(page), "npm run generate")
})
