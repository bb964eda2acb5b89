import { AmqpClient } from "../client/client.ts"
import type { ClientChannel } from "../client/channel.ts"
import type { ClientConnection } from "../client/connection.ts"
import { unreachable } from "../util/assert.ts"
import { monotonicMs } from "../util/clock.ts"
import { randomName } from "../util/random.ts"
import type { FlagValues, ModeName } from "./modes.ts"
import { EXIT_SUCCESS } from "./perf-io.ts"
import type { PerfIo } from "./perf-io.ts"
import { formatChurn, formatChurnJson } from "./report.ts"
import type { ChurnResult } from "./report.ts"

/**
 * The churn modes: one operation after the other on one connection, each measured until its time or its
 * iterations are over. A tenth of the time before that is not counted.
 */
export type ChurnMode = Extract<
  ModeName,
  "bind-churn" | "queue-churn" | "connection-churn" | "channel-churn" | "consumer-churn"
>

interface Operation {
  readonly name: string
  readonly run: () => Promise<void>
}

interface Bed {
  readonly connect: () => Promise<ClientConnection>
  readonly connection: ClientConnection
  readonly channel: ClientChannel
  /** A name that nobody else has. */
  readonly name: () => string
}

export async function runChurn(mode: ChurnMode, values: FlagValues, io: PerfIo): Promise<number> {
  let isInterrupted = false
  io.onInterrupt(() => {
    isInterrupted = true
  })
  const client = new AmqpClient({ clock: io.clock })
  const connect = (): Promise<ClientConnection> =>
    client.connect(values.text("uri"), { name: `sluiceperf ${mode}` })
  const connection = await connect()
  const bed: Bed = {
    connect,
    connection,
    channel: await connection.openChannel(),
    name: () => randomName(io.random, "sluiceperf."),
  }
  const results: ChurnResult[] = []
  try {
    for (const operation of await operationsOf(mode, bed))
      if (!isInterrupted) results.push(await measure(operation, values, () => isInterrupted))
  } finally {
    await connection.close()
  }
  const measured = results.filter(({ count }) => count > 0)
  if (values.isOn("json")) io.out(formatChurnJson(measured))
  else if (measured.length > 0) io.out(formatChurn(measured))
  return EXIT_SUCCESS
}

async function operationsOf(mode: ChurnMode, bed: Bed): Promise<Operation[]> {
  switch (mode) {
    case "bind-churn":
      return bindChurn(bed)
    case "queue-churn":
      return [
        { name: "transient queue", run: () => declareAndDelete(bed, false) },
        { name: "durable queue", run: () => declareAndDelete(bed, true) },
      ]
    case "connection-churn":
      return [{ name: "open-close connection and channel", run: () => connectionChurn(bed) }]
    case "channel-churn":
      return [{ name: "open-close channel", run: () => channelChurn(bed) }]
    case "consumer-churn":
      return consumerChurn(bed)
    default:
      return unreachable(mode)
  }
}

async function bindChurn({ channel, name }: Bed): Promise<Operation[]> {
  const temporary = (await channel.declareQueue("", { exclusive: true, autoDelete: true })).queue
  // Exclusive, so that it goes with the connection.
  const durable = (await channel.declareQueue(name(), { durable: true, exclusive: true })).queue
  return [
    {
      name: "bind non-durable queue",
      run: () => channel.bindQueue(temporary, "amq.direct", name()),
    },
    { name: "bind durable queue", run: () => channel.bindQueue(durable, "amq.direct", name()) },
  ]
}

async function declareAndDelete({ channel, name }: Bed, durable: boolean): Promise<void> {
  const queue = name()
  // Both are sent before the first reply: the server answers them in order.
  const declared = channel.declareQueue(queue, { durable, autoDelete: !durable })
  await Promise.all([declared, channel.deleteQueue(queue)])
}

async function connectionChurn({ connect }: Bed): Promise<void> {
  const connection = await connect()
  await connection.openChannel()
  await connection.close()
}

async function channelChurn({ connection }: Bed): Promise<void> {
  const channel = await connection.openChannel()
  await channel.close()
}

async function consumerChurn({ channel }: Bed): Promise<Operation[]> {
  const { queue } = await channel.declareQueue("", { exclusive: true, autoDelete: false })
  const run = async (): Promise<void> => {
    const consumer = await channel.consume(queue, { noAck: true, onDelivery: () => {} })
    await channel.cancel(consumer.tag)
  }
  return [{ name: "consume-cancel", run }]
}

async function measure(
  operation: Operation,
  values: FlagValues,
  isInterrupted: () => boolean,
): Promise<ChurnResult> {
  const iterations = values.number("iterations")
  const durationMs = values.number("time") * 1000
  const warmUpEndMs = monotonicMs() + (iterations > 0 ? 0 : durationMs / 10)
  while (monotonicMs() < warmUpEndMs && !isInterrupted()) await operation.run()
  const endMs = monotonicMs() + durationMs
  let count = 0
  let meanMs = 0
  let squares = 0
  const goesOn = (): boolean => (iterations > 0 ? count < iterations : monotonicMs() < endMs)
  while (goesOn() && !isInterrupted()) {
    const startMs = monotonicMs()
    await operation.run()
    // Welford's way to mean and variance in one pass.
    const difference = monotonicMs() - startMs - meanMs
    count++
    meanMs += difference / count
    squares += (difference * difference * (count - 1)) / count
  }
  const deviation = count < 2 ? 0 : Math.sqrt(squares / (count - 1)) / meanMs
  return { name: operation.name, count, meanSeconds: meanMs / 1000, deviation }
}
