import { ClientError } from "../client/errors.ts"
import { runChurn } from "./churn.ts"
import { runConnectionCount } from "./connection-count.ts"
import type { FlagValues, ModeName } from "./modes.ts"
import { EXIT_FAILURE } from "./perf-io.ts"
import type { PerfIo } from "./perf-io.ts"
import { runQueueCount } from "./queue-count.ts"
import { runThroughput } from "./throughput.ts"
import { unreachable } from "../util/assert.ts"

/** Runs a mode. Returns the exit code; what the broker refused is a message and 1. */
export async function runMode(mode: ModeName, values: FlagValues, io: PerfIo): Promise<number> {
  try {
    switch (mode) {
      case "throughput":
        return await runThroughput(values, io)
      case "connection-count":
        return await runConnectionCount(values, io)
      case "queue-count":
        return await runQueueCount(values, io)
      case "bind-churn":
      case "queue-churn":
      case "connection-churn":
      case "channel-churn":
      case "consumer-churn":
        return await runChurn(mode, values, io)
      default:
        return unreachable(mode)
    }
  } catch (error) {
    if (!(error instanceof ClientError)) throw error
    io.error(`${error.message}\n`)
    return EXIT_FAILURE
  }
}
