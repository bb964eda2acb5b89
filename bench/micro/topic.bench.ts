/**
 * Topic matching and the binding tables: ns per match, against one regular expression per binding,
 * and bytes per binding. `--smoke` runs a small size that only shows that it still works.
 *
 *   node --expose-gc bench/micro/topic.bench.ts
 */
import { createHash } from "node:crypto"
import { EMPTY_TABLE } from "../../src/amqp/table.ts"
import {
  DESTINATION_QUEUE,
  RouteTargets,
  type Destination,
} from "../../src/broker/exchange/destination.ts"
import { Exchange } from "../../src/broker/exchange/exchange.ts"
import { createBindingTable } from "../../src/broker/exchange/exchange-type.ts"
import { Router } from "../../src/broker/exchange/route.ts"
import { createRandom } from "../../test/support/seed.ts"

const isSmoke = process.argv.includes("--smoke")
const patternCount = isSmoke ? 100 : 2_000
const roundCount = isSmoke ? 1 : 20
const bindingCount = isSmoke ? 1_000 : 100_000

const random = createRandom(42)
const words = ["eu", "us", "asia", "order", "user", "created", "deleted", "error", "info", "7"]

function createQueue(name: string): Destination {
  return { kind: DESTINATION_QUEUE, name, routeMark: 0 }
}

function randomPattern(): string {
  const parts = Array.from({ length: 1 + random.below(4) }, () => random.pick([...words, "*", "#"]))
  return parts.join(".")
}

function randomKey(): string {
  return Array.from({ length: 1 + random.below(5) }, () => random.pick(words)).join(".")
}

/** The obvious alternative: every pattern is a regular expression, and all are asked. */
function toRegex(pattern: string): RegExp {
  const source = pattern
    .split(".")
    .map((word) => (word === "*" ? "\\.[^.]*" : word === "#" ? "(?:\\.[^.]*)*" : `\\.${word}`))
    .join("")
  return new RegExp(`^${source}$`)
}

function report(name: string, value: number, unit: string): void {
  console.log(`${name.padEnd(52)} ${value.toFixed(1).padStart(10)} ${unit}`)
}

function nsPerRun(runCount: number, run: () => void): number {
  run()
  const startedAt = process.hrtime.bigint()
  for (let i = 0; i < roundCount; i++) run()
  return Number(process.hrtime.bigint() - startedAt) / roundCount / runCount
}

function benchMatching(): void {
  const patterns = [...new Set(Array.from({ length: patternCount }, randomPattern))]
  const keys = Array.from({ length: 1_000 }, randomKey)
  const bindings = createBindingTable("topic")
  for (const pattern of patterns) bindings.add(createQueue(pattern), pattern, EMPTY_TABLE)
  const targets = new RouteTargets()
  const regexes = patterns.map(toRegex)
  const counts = { tree: 0, regexes: 0 }
  const treeNs = nsPerRun(keys.length, () => {
    counts.tree = 0
    for (const key of keys) {
      targets.begin()
      bindings.match(key, null, targets)
      counts.tree += targets.queueCount
    }
  })
  const regexNs = nsPerRun(keys.length, () => {
    counts.regexes = 0
    for (const key of keys) for (const regex of regexes) if (regex.test(`.${key}`)) counts.regexes++
  })
  report(`match among ${patterns.length} patterns, tree`, treeNs, "ns")
  report(`match among ${patterns.length} patterns, regexes`, regexNs, "ns")
  if (counts.tree !== counts.regexes) throw new Error("the variants disagree")
  const hash = createHash("sha256")
    .update(JSON.stringify([keys, counts.tree]))
    .digest("hex")
  console.log(`work ${hash.slice(0, 16)}: ${counts.tree} matches`)
}

function benchCachedRoute(): void {
  const options = { type: "topic", durable: true, autoDelete: false, internal: false }
  const exchange = new Exchange({ name: "e", arguments: EMPTY_TABLE, ...options })
  const router = new Router<Destination>(() => null)
  exchange.bindings.add(createQueue("q"), "a.*", EMPTY_TABLE)
  router.invalidate()
  const count = 100_000
  const ns = nsPerRun(count, () => {
    for (let i = 0; i < count; i++) router.resolve(exchange, "a.b", null)
  })
  report("resolve, remembered route", ns, "ns")
}

function benchBindings(type: string, shape: string, key: (i: number) => string): void {
  const queueCount = shape === "one queue" ? 1 : bindingCount
  const queues = Array.from({ length: queueCount }, (_, i) => createQueue(`q${i}`))
  const keys = Array.from({ length: bindingCount }, (_, i) => key(i))
  globalThis.gc?.()
  const before = process.memoryUsage().heapUsed
  const startedAt = process.hrtime.bigint()
  const bindings = createBindingTable(type)
  for (let i = 0; i < bindingCount; i++)
    bindings.add(queues[i % queueCount]!, keys[i]!, EMPTY_TABLE)
  const addNs = Number(process.hrtime.bigint() - startedAt) / bindingCount
  globalThis.gc?.()
  const bytes = (process.memoryUsage().heapUsed - before) / bindingCount
  report(`${type}, ${bindingCount} bindings, ${shape}: add`, addNs, "ns")
  if (globalThis.gc !== undefined)
    report(`${type}, ${bindingCount} bindings, ${shape}: memory`, bytes, "bytes")
  const removedAt = process.hrtime.bigint()
  for (const queue of queues) bindings.removeDestination(queue, () => {})
  const removeNs = Number(process.hrtime.bigint() - removedAt) / bindingCount
  report(`${type}, ${bindingCount} bindings, ${shape}: remove`, removeNs, "ns")
  if (bindings.size !== 0) throw new Error("bindings are left")
}

benchMatching()
benchCachedRoute()
for (const type of ["direct", "topic", "fanout"]) {
  benchBindings(type, "one queue", (i) => `device.${i}.status`)
  benchBindings(type, "a queue each", (i) => `device.${i}.status`)
  benchBindings(type, "one key", () => "device.status")
}
