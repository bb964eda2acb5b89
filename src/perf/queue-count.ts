import type { ClientChannel } from "../client/channel.ts"
import { AmqpClient } from "../client/client.ts"
import { monotonicMs } from "../util/clock.ts"
import { randomName } from "../util/random.ts"
import { askForMore } from "./connection-count.ts"
import type { FlagValues } from "./modes.ts"
import { EXIT_SUCCESS, formatMemory } from "./perf-io.ts"
import type { PerfIo } from "./perf-io.ts"
import { plainRecord } from "./settings.ts"

/** The mode queue-count: declares queues of random names, and holds them. */

/** Declarations under way at a time, or sent before the server is asked to answer once. */
const SLICE = 100

export async function runQueueCount(values: FlagValues, io: PerfIo): Promise<number> {
  const interrupt = new AbortController()
  io.onInterrupt(() => interrupt.abort())
  const client = new AmqpClient({ clock: io.clock })
  const connection = await client.connect(values.text("uri"), { name: "sluiceperf queue-count" })
  let total = 0
  try {
    const channel = await connection.openChannel()
    const count = values.number("queues")
    do {
      const startMs = monotonicMs()
      for (let left = count; left > 0 && !interrupt.signal.aborted; left -= SLICE) {
        const size = Math.min(left, SLICE)
        await declareSlice(channel, values, io, size)
        total += size
        io.out(".")
      }
      const elapsed = (monotonicMs() - startMs).toFixed(0)
      io.out(` ${elapsed} ms\n${String(total)} queues\nUsing ${formatMemory()} here\n`)
    } while (!interrupt.signal.aborted && (await askForMore(io, `${String(count)} queues`)))
  } finally {
    await connection.close()
  }
  return EXIT_SUCCESS
}

async function declareSlice(
  channel: ClientChannel,
  values: FlagValues,
  io: PerfIo,
  count: number,
): Promise<void> {
  const durable = values.isOn("durable")
  const options = {
    durable,
    exclusive: !durable,
    arguments: plainRecord(values.object("arguments")),
  }
  const names = Array.from({ length: count }, () => randomName(io.random, "sluiceperf."))
  if (!values.isOn("noWait")) {
    await Promise.all(names.map((name) => channel.declareQueue(name, options)))
    return
  }
  for (const name of names) channel.declareQueueNoWait(name, options)
  // The server answers in order: this says that the others are there.
  await channel.checkQueue(names[names.length - 1]!)
}
