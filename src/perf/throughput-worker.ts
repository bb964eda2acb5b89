/**
 * One thread of a throughput run: some of the publishers and consumers. Entry of a worker; the counters
 * lie in memory that it shares with the main thread, everything else goes by message.
 */
import { parentPort, workerData } from "node:worker_threads"
import { AmqpClient } from "../client/client.ts"
import { messageOf } from "../client/errors.ts"
import { SystemClock } from "../util/clock.ts"
import { systemRandom } from "../util/random.ts"
import { LoadConsumer } from "./consumer.ts"
import type { ConsumerContext } from "./consumer.ts"
import { Reservoir } from "./latency.ts"
import { Publisher } from "./publisher.ts"
import type { Role } from "./role.ts"
import type { FromWorker, ToWorker, WorkerTask } from "./worker-protocol.ts"

if (parentPort !== null) await main(parentPort)

type Port = NonNullable<typeof parentPort>

async function main(port: Port): Promise<void> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Made by the main thread of the same program.
  const task = workerData as WorkerTask
  const send = (message: FromWorker): void => port.postMessage(message)
  const started: PromiseWithResolvers<void> = Promise.withResolvers()
  const clock = new SystemClock()
  const context: ConsumerContext = {
    client: new AmqpClient({ clock }),
    clock,
    settings: task.settings,
    started: started.promise,
    counters: new Float64Array(task.counters),
    consumed: new Int32Array(task.consumed),
    notice: (text) => send({ kind: "notice", text }),
    recordLatency: latencyRecorder(task),
    limitReached: () => send({ kind: "limit-reached" }),
  }
  const publishers = task.publishers.map(
    ({ index, place, quota }) => new Publisher(context, place, index, quota, systemRandom),
  )
  const consumers = task.consumers.map(
    ({ index, place }) => new LoadConsumer(context, place, index),
  )
  const roles: readonly Role[] = [...publishers, ...consumers]
  port.on("message", (message: ToWorker) => {
    if (message === "start") started.resolve()
    else for (const role of message === "stop" ? roles : consumers) role.stop()
    // One that is stopped before it began is not waited for.
    if (message === "stop") started.resolve()
  })
  try {
    const all = Promise.all(roles.map((role) => role.run()))
    await Promise.race([Promise.all(roles.map((role) => role.ready)), all])
    send({ kind: "ready" })
    await all
    send({ kind: "done" })
  } catch (error) {
    send({ kind: "failed", text: messageOf(error) })
  }
  port.close()
}

/** Of the whole run, and of the present second. */
function latencyRecorder(task: WorkerTask): (ms: number) => void {
  const all = new Reservoir(task.latencies, systemRandom.bytes(4).readUInt32BE(0))
  const recent = new Reservoir(task.recentLatencies, systemRandom.bytes(4).readUInt32BE(0))
  const second = new Int32Array(task.second)
  let current = 0
  return (ms) => {
    all.add(ms)
    const now = Atomics.load(second, 0)
    if (now !== current) {
      current = now
      recent.clear()
    }
    recent.add(ms)
  }
}
