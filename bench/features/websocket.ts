/**
 * AMQP over WebSocket: small messages published by a client that makes a WebSocket message of each frame, or of
 * each publish. The load is a process of its own (websocket-load.ts).
 */
import type { Bench, Measurement, Row } from "../bench.ts"
import { RunningProcess } from "../../test/support/broker-process.ts"

const KINDS = ["frame", "publish"] as const

function webSocketRow(kind: (typeof KINDS)[number]): Row {
  const run = (bench: Bench): Promise<readonly Measurement[]> =>
    bench.withBroker(["--http-port", "0", "--http-bind", "127.0.0.1"], async (broker) => {
      const [, httpPort = ""] = await broker.waitForOutput(/Management on http:\S+?:(\d+)/)
      const seconds = bench.isQuick ? 2 : 5
      const cpuBefore = broker.cpuSeconds()
      const load = new RunningProcess(
        ["bench/features/websocket-load.ts", httpPort, kind, seconds].map(String),
      )
      try {
        const [, text] = await load.waitForOutput(/(\d+) messages\/s/)
        const cpu = broker.cpuSeconds() - cpuBefore
        const perSecond = Number(text)
        return [
          {
            name: `publish over WebSocket, 16 B, a message per ${kind}`,
            value: perSecond,
            unit: "msg/s",
            rssBytes: broker.rssBytes(),
            cpu: cpu / seconds,
            note: `${((cpu / (perSecond * seconds)) * 1e6).toFixed(2)} µs of the broker's CPU each`,
          },
        ]
      } finally {
        await load.stop("SIGKILL")
      }
    })
  return { name: "websocket", run }
}

export const WEBSOCKET_ROWS: readonly Row[] = KINDS.map(webSocketRow)
