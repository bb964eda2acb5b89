/**
 * Messages per second through the exchanges that do more than compare a routing key: 5,000 different
 * messages, one after the other, to ten queues. The first row is what a direct exchange does with the
 * same load.
 */
import { RunningProcess } from "../../test/support/broker-process.ts"
import type { Bench, Measurement, Row } from "../bench.ts"

const TITLES: readonly (readonly [kind: string, title: string])[] = [
  ["direct", "publish to a direct exchange"],
  ["hash", "publish to a consistent hash, by routing key"],
  ["hash-header", "publish to a consistent hash, by header"],
  ["alternate", "publish to an alternate exchange"],
  ["headers", "publish to a headers exchange, two conditions"],
  ["deduplication", "publish to an exchange with deduplication"],
  ["cc", "publish with a key in CC, two copies"],
]

function exchangeRow(kind: string, title: string): Row {
  const run = (bench: Bench): Promise<readonly Measurement[]> =>
    bench.withBroker([], async (broker) => {
      const seconds = bench.isQuick ? 2 : 5
      const cpuBefore = broker.cpuSeconds()
      const program = ["bench/features/exchanges-load.ts", broker.port, kind, seconds]
      const load = new RunningProcess(program.map(String))
      try {
        const [, text] = await load.waitForOutput(/(\d+) msg\/s/)
        const cpu = (broker.cpuSeconds() - cpuBefore) / seconds
        const rssBytes = broker.rssBytes()
        return [{ name: title, value: Number(text), unit: "msg/s", rssBytes, cpu }]
      } finally {
        await load.stop("SIGKILL")
      }
    })
  return { name: "exchanges", run }
}

export const EXCHANGES_ROWS: readonly Row[] = TITLES.map(([kind, title]) =>
  exchangeRow(kind, title),
)
