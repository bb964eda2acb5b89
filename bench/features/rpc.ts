/**
 * Direct reply-to: round trips per second of requesters that wait for each reply, through one responder
 * that consumes a queue. Clients and responder speak frames and live in a process of their own
 * (rpc-load.ts), so the broker has a core to itself.
 */
import type { Bench, Measurement, Row } from "../bench.ts"
import { RunningProcess } from "../../test/support/broker-process.ts"

const REQUESTERS = [1, 100] as const

function rpcRow(requesters: number): Row {
  const run = (bench: Bench): Promise<readonly Measurement[]> =>
    bench.withBroker([], async (broker) => {
      const seconds = bench.isQuick ? 2 : 5
      const cpuBefore = broker.cpuSeconds()
      const load = new RunningProcess(
        ["bench/features/rpc-load.ts", broker.port, requesters, seconds].map(String),
      )
      try {
        const [, text] = await load.waitForOutput(/(\d+) round trips\/s/)
        return [
          {
            name: `direct reply-to, ${String(requesters)} requester${requesters > 1 ? "s" : ""}`,
            value: Number(text),
            unit: "round trips/s",
            rssBytes: broker.rssBytes(),
            cpu: (broker.cpuSeconds() - cpuBefore) / seconds,
          },
        ]
      } finally {
        await load.stop("SIGKILL")
      }
    })
  return { name: "rpc", run }
}

export const RPC_ROWS: readonly Row[] = REQUESTERS.map(rpcRow)
