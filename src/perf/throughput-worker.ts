/**
 * One thread of a throughput run: some of the publishers and consumers. Entry of a worker; the counters
 * lie in memory that it shares with the main thread, everything else goes by message.
 */
import { parentPort, workerData } from "node:worker_threads"
import { AmqpClient } from "../client/client.ts"
import { messageOf } from "../client/errors.ts"
import { SocketDialer } from "../client/socket-dialer.ts"
import { SystemClock } from "../util/clock.ts"
import { systemRandom } from "../util/random.ts"
import { LoadConsumer } from "./consumer.ts"
import type { ConsumerContext } from "./consumer.ts"
import { LatencyRecorder, Reservoir } from "./latency.ts"
import { Load } from "./load.ts"
import { Publisher } from "./publisher.ts"
import type { Role } from "./role.ts"
import type { FromWorker, ToWorker, WorkerTask } from "./worker-protocol.ts"

/** Twice the client's: bodies of 16 KiB cost a third less processor time to read. */
const READ_BUFFER_BYTES = 256 << 10

if (parentPort !== null) await main(parentPort)

type Port = NonNullable<typeof parentPort>

async function main(port: Port): Promise<void> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Made by the main thread of the same program.
  const task = workerData as WorkerTask
  const send = (message: FromWorker): void => port.postMessage(message)
  const started: PromiseWithResolvers<void> = Promise.withResolvers()
  const clock = new SystemClock()
  const context: ConsumerContext = {
    client: new AmqpClient({ clock, dialer: new SocketDialer(READ_BUFFER_BYTES) }),
    clock,
    settings: task.settings,
    started: started.promise,
    counters: new Float64Array(task.counters),
    consumed: new BigInt64Array(task.consumed),
    notice: (text) => send({ kind: "notice", text }),
    latencies: task.settings.measureLatency ? latencyRecorder(task) : null,
    limitReached: () => send({ kind: "limit-reached" }),
  }
  const load = new Load(task.settings, systemRandom)
  const publishers = task.publishers.map(
    ({ index, place, quota }) => new Publisher(context, place, index, quota, load),
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

function latencyRecorder(task: WorkerTask): LatencyRecorder {
  const seed = systemRandom.bytes(8)
  return new LatencyRecorder(
    new Reservoir(task.latencies, seed.readUInt32BE(0)),
    new Reservoir(task.recentLatencies, seed.readUInt32BE(4)),
    new Int32Array(task.second),
  )
}
