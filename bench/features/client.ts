/**
 * The internal client, through sluiceperf: one publisher and one consumer in two threads, against the
 * broker in a process of its own. On two cores the three share them, as broker and generator do in the other rows.
 */
import type { Bench, Measurement, Row } from "../bench.ts"
import { RunningProcess } from "../../test/support/broker-process.ts"

const MILLION = 1e6
const FLAGS = ["-x", "1", "-y", "1", "-s", "16", "--json"]

async function flow(bench: Bench): Promise<readonly Measurement[]> {
  return bench.withBroker([], async (broker) => {
    const before = broker.cpuSeconds()
    const load = new RunningProcess([
      "src/bin/sluiceperf.ts",
      "throughput",
      "--uri",
      broker.url,
      "-z",
      String(bench.seconds),
      ...FLAGS,
    ])
    const { code } = await load.exited()
    if (code !== 0) throw new Error(`sluiceperf: ${load.stderr}`)
    const result: Readonly<Record<string, number>> = JSON.parse(load.stdout)
    const { avg_pub_rate: published = 0, avg_consume_rate: consumed = 0 } = result
    return [
      {
        name: "client, publish and consume",
        value: Math.min(published, consumed),
        unit: "msg/s",
        floor: MILLION,
        note: `in ${(published / MILLION).toFixed(2)} M, out ${(consumed / MILLION).toFixed(2)} M`,
        cpu: (broker.cpuSeconds() - before) / bench.seconds,
        rssBytes: broker.rssBytes(),
      },
    ]
  })
}

export const CLIENT_ROWS: readonly Row[] = [{ name: "client", run: flow }]
