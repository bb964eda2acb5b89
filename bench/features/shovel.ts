/**
 * A shovel with on-confirm: a backlog goes from one queue to another, within the process and over TCP to
 * the same broker, which is source, destination and host of the shovel at the same time.
 */
import type { Bench, Measurement, Row } from "../bench.ts"
import { runLoad } from "../load.ts"
import type { BrokerProcess } from "../../test/support/broker-process.ts"
import { pause } from "../../test/support/eventually.ts"

const MILLION = 1e6
const FLOOR = 300_000
const LOGIN = { authorization: `Basic ${btoa("guest:guest")}` }

async function ask(base: string, method: string, path: string, body?: unknown): Promise<unknown> {
  const response = await fetch(base + path, {
    method,
    headers: { ...LOGIN, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  if (!response.ok) throw new Error(`${method} ${path}: ${await response.text()}`)
  const text = await response.text()
  return text === "" ? null : JSON.parse(text)
}

function field(value: unknown, name: string): number {
  return Number(Reflect.get(Object(value), name) ?? 0)
}

async function shovelled(
  bench: Bench,
  broker: BrokerProcess,
  base: string,
  title: string,
  uri: string,
): Promise<Measurement> {
  const count = bench.isQuick ? 2 * MILLION : 10 * MILLION
  await runLoad(broker.port, ["-n", count, "-q", "shovel-source", "-s", 16, "fill"], 600)
  const value = {
    "src-uri": uri,
    "src-queue": "shovel-source",
    "dest-uri": uri,
    "dest-queue": "shovel-destination",
    "src-delete-after": "queue-length",
  }
  const cpu = broker.cpuSeconds()
  const startMs = performance.now()
  await ask(base, "PUT", "/api/parameters/shovel/%2F/bench", { value })
  let peak = 0
  for (;;) {
    await pause(200)
    peak = Math.max(peak, broker.rssBytes())
    const list = await ask(base, "GET", "/api/parameters/shovel/%2F")
    if (Array.isArray(list) && list.length === 0) break
  }
  const seconds = (performance.now() - startMs) / 1000
  const moved = await ask(base, "GET", "/api/queues/%2F/shovel-destination")
  const there = field(moved, "messages_ready")
  if (there !== count)
    throw new Error(`${title}: ${String(there)} of ${String(count)} have arrived`)
  await ask(base, "DELETE", "/api/queues/%2F/shovel-destination")
  return {
    name: title,
    value: count / seconds,
    unit: "msg/s",
    floor: FLOOR,
    note: `${String(count / MILLION)} M messages`,
    rssBytes: peak,
    cpu: (broker.cpuSeconds() - cpu) / seconds,
  }
}

async function shovels(bench: Bench): Promise<readonly Measurement[]> {
  return bench.withBroker(["--http-port", "0"], async (broker) => {
    const match = await broker.waitForOutput(/Management on (http:\/\/127\.0\.0\.1:\d+)/)
    const base = match[1] ?? ""
    return [
      await shovelled(bench, broker, base, "shovel within the process, on-confirm", "amqp://"),
      await shovelled(bench, broker, base, "shovel over TCP, on-confirm", broker.url),
    ]
  })
}

export const SHOVEL_ROWS: readonly Row[] = [{ name: "shovel", run: shovels }]
