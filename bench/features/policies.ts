/**
 * A policy that comes to 100,000 queues: how long until the last one has it, and how long it keeps the
 * event loop from everything else. In this process, in memory: the disk is not what is measured.
 */
import { EMPTY_TABLE } from "../../src/amqp/table.ts"
import type { Vhost } from "../../src/broker/vhost.ts"
import { startBroker } from "../../src/server/start-broker.ts"
import type { Bench, Measurement, Row } from "../bench.ts"

const QUEUE_COUNT = 100_000
const POLICY_COUNT = 20
/** Of the issue: nobody may be held up longer. */
const DELAY_MS_MAX = 10

export const POLICIES_ROWS: readonly Row[] = [{ name: "policies", run }]

async function run(bench: Bench): Promise<readonly Measurement[]> {
  const rounds = bench.isQuick ? 3 : 10
  const broker = await startBroker({ amqp: { port: 0 } })
  try {
    const vhost = broker.broker.vhosts.get("/")
    if (vhost === undefined) throw new Error("no vhost")
    declareQueues(vhost)
    // Policies that match nothing, which every queue is compared with.
    for (let i = 0; i < POLICY_COUNT; i++)
      await vhost.policies.set(`other-${String(i)}`, policy(`^other\\.${String(i)}\\.`, i + 1, 1))
    await vhost.effectiveSettings.applied()
    globalThis.gc?.()
    const before = process.memoryUsage().heapUsed
    let totalMs = 0
    // The first time every queue gets what it needs for a limit; later changes make nothing new.
    const first = await apply(vhost, 1)
    let delayMs = 0
    let cpuMs = 0
    for (let round = 1; round <= rounds; round++) {
      const measured = await apply(vhost, round + 1)
      totalMs += measured.totalMs
      delayMs = Math.max(delayMs, measured.delayMs)
      cpuMs = Math.max(cpuMs, measured.cpuMs)
    }
    globalThis.gc?.()
    const grown = process.memoryUsage().heapUsed - before
    const of = `a policy on ${String(QUEUE_COUNT)} queues`
    return [
      { name: of, value: Math.round((QUEUE_COUNT * rounds * 1000) / totalMs), unit: "op/s" },
      {
        name: `longest delay by the first policy`,
        value: first.delayMs,
        unit: "ms",
        limit: DELAY_MS_MAX,
        note: `CPU ${first.cpuMs.toFixed(1)} ms, garbage collection included`,
      },
      {
        name: `longest delay by ${of}`,
        value: delayMs,
        unit: "ms",
        limit: DELAY_MS_MAX,
        note: `CPU ${cpuMs.toFixed(1)} ms`,
      },
      {
        name: `heap per queue under ${of}`,
        value: Math.max(0, grown) / QUEUE_COUNT,
        unit: "bytes",
        limit: 300,
      },
    ]
  } finally {
    await broker.close()
  }
}

function declareQueues(vhost: Vhost): void {
  const attributes = { durable: false, exclusive: false, autoDelete: false, arguments: EMPTY_TABLE }
  for (let i = 0; i < QUEUE_COUNT; i++)
    vhost.declareQueue({ name: `work.${String(i)}`, ...attributes }, null)
}

function policy(
  pattern: string,
  priority: number,
  maxLength: number,
): { pattern: string; priority: number; definition: object } {
  return { pattern, priority, definition: { "max-length": maxLength } }
}

/** `cpuMs` is what of the delay this thread worked, also on a machine that is busy with others. */
interface Applied {
  readonly totalMs: number
  readonly delayMs: number
  readonly cpuMs: number
}

/** Until every queue has it; beside that the loop does nothing but be measured. */
async function apply(vhost: Vhost, maxLength: number): Promise<Applied> {
  const startMs = performance.now()
  let lastMs = startMs
  let delayMs = 0
  let lastCpuMs = threadCpuMs()
  let cpuMs = 0
  let isDone = false
  const look = (): void => {
    const nowMs = performance.now()
    delayMs = Math.max(delayMs, nowMs - lastMs)
    lastMs = nowMs
    const nowCpuMs = threadCpuMs()
    cpuMs = Math.max(cpuMs, nowCpuMs - lastCpuMs)
    lastCpuMs = nowCpuMs
    if (!isDone) setImmediate(look)
  }
  setImmediate(look)
  await vhost.policies.set("work", policy("^work\\.", 0, maxLength))
  await vhost.effectiveSettings.applied()
  const totalMs = performance.now() - startMs
  isDone = true
  return { totalMs, delayMs, cpuMs }
}

function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}
