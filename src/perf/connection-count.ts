import { AmqpClient } from "../client/client.ts"
import type { ClientConnection } from "../client/connection.ts"
import { messageOf } from "../client/errors.ts"
import type { ConnectOptions } from "../client/options.ts"
import { monotonicMs } from "../util/clock.ts"
import type { FlagValues } from "./modes.ts"
import { EXIT_SUCCESS, formatMemory } from "./perf-io.ts"
import type { PerfIo } from "./perf-io.ts"

/** The mode connection-count: opens connections in slices of a hundred, and holds them. */
const SLICE = 100

export async function runConnectionCount(values: FlagValues, io: PerfIo): Promise<number> {
  const interrupt = new AbortController()
  io.onInterrupt(() => interrupt.abort())
  const client = new AmqpClient({ clock: io.clock })
  const connections = new Set<ClientConnection>()
  const count = values.number("count")
  do {
    for (let left = count; left > 0 && !interrupt.signal.aborted; left -= SLICE) {
      const startMs = monotonicMs()
      await openSlice(client, values, io, connections, Math.min(left, SLICE))
      io.out(` ${(monotonicMs() - startMs).toFixed(0)} ms\n`)
    }
    io.out(`${totals(connections.size, values)}\nUsing ${formatMemory()} here\n`)
  } while (!interrupt.signal.aborted && (await askForMore(io, `${String(count)} connections`)))
  await Promise.all([...connections].map((connection) => connection.close()))
  return EXIT_SUCCESS
}

/** False without a terminal: there is nobody to ask. */
export async function askForMore(io: PerfIo, what: string): Promise<boolean> {
  if (!io.isTerminal) return false
  io.out(`Press Enter for ${what} more, or interrupt to end\n`)
  return io.readLine()
}

function totals(connections: number, values: FlagValues): string {
  const channels = connections * values.number("channels")
  const consumers = channels * values.number("consumers")
  return `${String(connections)} connections ${String(channels)} channels ${String(consumers)} consumers`
}

async function openSlice(
  client: AmqpClient,
  values: FlagValues,
  io: PerfIo,
  connections: Set<ClientConnection>,
  count: number,
): Promise<void> {
  await Promise.all(
    Array.from({ length: count }, async () => {
      const connection = await client.connect(values.text("uri"), overrides(values, io))
      connections.add(connection)
      connection.onClosed = (error) => {
        connections.delete(connection)
        if (error !== null) io.error(`${messageOf(error)}\n`)
      }
      await openChannels(connection, values)
      io.out(".")
    }),
  )
}

async function openChannels(connection: ClientConnection, values: FlagValues): Promise<void> {
  const consumers = values.number("consumers")
  const queue = values.text("queue")
  for (let channels = values.number("channels"); channels > 0; channels--) {
    const channel = await connection.openChannel()
    if (consumers === 0) continue
    const { queue: name } = await channel.declareQueue(queue, { durable: queue !== "" })
    for (let i = 0; i < consumers; i++)
      await channel.consume(name, { noAck: true, onDelivery: () => {} })
  }
}

function overrides(values: FlagValues, io: PerfIo): ConnectOptions {
  const idleSeconds = values.number("keepAlive")
  const options = {
    name: "sluiceperf connection-count",
    ...(idleSeconds === 0 ? {} : { keepAliveMs: idleSeconds * 1000 }),
  }
  if (!values.isOn("localhost")) return options
  const bytes = io.random.bytes(2)
  // Neither 127.0.0.0 nor the broadcast address at the end.
  return { ...options, host: `127.0.${String(bytes[0]! % 255)}.${String(1 + (bytes[1]! % 254))}` }
}
