/**
 * Streams: how fast they are written beside a queue, read at their end, read from files that nobody
 * has in memory, and read by a thousand consumers at a thousand places.
 */
import { measureLoad } from "../bench.ts"
import type { Bench, Measurement, Row } from "../bench.ts"

const MILLION = 1e6
const STREAM = ["-S", 1] as const
/** Prefetch and acknowledgements in batches, which streams demand. */
const ACKS = ["-a", 2000, "-b", 500] as const
const READERS = 1000
/** Messages per second. */
const END_RATE = 2.2 * MILLION

export const STREAMS_ROWS: readonly Row[] = [
  { name: "streams", run: writing },
  { name: "streams", run: atTheEnd },
  { name: "streams", run: fromFiles },
]

/** One producer, no consumer: a stream and a queue. */
async function writing(bench: Bench): Promise<readonly Measurement[]> {
  const args = ["-t", bench.seconds, "-s", 16, "-d", 1, "-P", 1, "-C", 0]
  const rate = (extra: readonly (string | number)[]) =>
    bench.withBroker([], (broker) => measureLoad(broker, [...args, ...extra, "flow"]))
  const queue = await rate([])
  const stream = await rate(STREAM)
  const published = stream.published ?? 0
  return [
    { name: "publish to a stream", value: published, unit: "msg/s", cpu: stream.cpu },
    {
      name: "publish to a stream, beside a queue",
      value: published / Math.max(1, queue.published ?? 0),
      unit: "ratio",
      floor: 0.9,
    },
  ]
}

/** Published and consumed at once, at a rate that leaves the reader its half of the broker. */
function atTheEnd(bench: Bench): Promise<readonly Measurement[]> {
  const args = ["-t", bench.seconds, "-s", 16, "-P", 1, "-C", 1, ...STREAM, ...ACKS].concat(
    "-r",
    END_RATE,
    "flow",
  )
  return bench.withBroker([], async (broker) => {
    const { published = 0, consumed = 0, cpu, rssBytes } = await measureLoad(broker, args)
    const note = `in ${(published / MILLION).toFixed(2)} M, out ${(consumed / MILLION).toFixed(2)} M`
    return [
      {
        name: "publish to a stream and read its end",
        value: consumed,
        unit: "msg/s",
        floor: 2 * MILLION,
        note,
        cpu,
        rssBytes,
      },
    ]
  })
}

/** A backlog on disk after a restart: one reader, then many. */
function fromFiles(bench: Bench): Promise<readonly Measurement[]> {
  const count = (bench.isQuick ? 4 : 20) * MILLION
  return bench.withBroker([], async (broker, restart) => {
    await measureLoad(broker, ["-n", count, "-s", 16, ...STREAM, "fill"], 120)
    const { broker: second, bootMs } = await restart()
    const cold = await measureLoad(second, ["-n", count, ...STREAM, ...ACKS, "drain"], 120)
    const warm = await measureLoad(second, ["-n", count, ...STREAM, ...ACKS, "drain"], 120)
    const many = await measureLoad(
      second,
      ["-t", bench.seconds, "-P", 0, "-C", READERS, "-O", count / READERS / 2, ...STREAM].concat([
        "-a",
        100,
        "-b",
        50,
        "flow",
      ]),
    )
    return [
      { name: "start with a stream", value: bootMs, unit: "ms" },
      {
        name: "read a stream from its files, first time",
        value: cold.per_s ?? 0,
        unit: "msg/s",
        floor: 2 * MILLION,
        cpu: cold.cpu,
      },
      {
        name: "read a stream from its files again",
        value: warm.per_s ?? 0,
        unit: "msg/s",
        floor: 2 * MILLION,
        cpu: warm.cpu,
        rssBytes: warm.rssBytes,
      },
      {
        name: "1,000 readers at 1,000 places",
        value: many.consumed ?? 0,
        unit: "msg/s",
        cpu: many.cpu,
        rssBytes: many.rssBytes,
      },
    ]
  })
}
