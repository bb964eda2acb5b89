import assert from "node:assert/strict"
import { test } from "node:test"
import { MemoryMonitor } from "../../../src/server/memory-monitor.ts"
import type { MemorySource } from "../../../src/server/memory-monitor.ts"
import { ProcessMemory } from "../../../src/server/process-memory.ts"
import { ManualClock } from "../../../src/util/clock.ts"

const MIB = 2 ** 20

class Source implements MemorySource {
  totalBytes = 1000 * MIB
  usedBytes = 100 * MIB
  heapUsedBytes = 10 * MIB
  heapLimitBytes = 1000 * MIB
  garbageBytes = 0
  collections = 0

  collect(): void {
    this.collections++
    this.usedBytes -= this.garbageBytes
    this.garbageBytes = 0
  }
}

interface Bed {
  readonly clock: ManualClock
  readonly source: Source
  readonly monitor: MemoryMonitor
  readonly changes: boolean[]
}

function bed(highWatermark: number): Bed {
  const clock = new ManualClock()
  const source = new Source()
  const changes: boolean[] = []
  const onChange = (isLow: boolean): void => void changes.push(isLow)
  const monitor = new MemoryMonitor({ clock, source, highWatermark, onChange })
  monitor.start()
  return { clock, source, monitor, changes }
}

test("memory above the limit is low until it is well below", () => {
  const { clock, source, monitor, changes } = bed(0.6)
  assert.equal(monitor.limitBytes, 600 * MIB)
  source.usedBytes = 600 * MIB
  clock.advance(1000)
  assert.deepEqual(changes, [true])
  source.usedBytes = 580 * MIB
  clock.advance(5000)
  assert.deepEqual(changes, [true], "not yet well below")
  source.usedBytes = 560 * MIB
  clock.advance(1000)
  assert.deepEqual(changes, [true, false])
  monitor.stop()
  source.usedBytes = 900 * MIB
  clock.advance(60_000)
  assert.deepEqual(changes, [true, false])
})

test("garbage is not memory in use, and is not looked for all the time", () => {
  const { clock, source, changes } = bed(600 * MIB)
  source.usedBytes = 700 * MIB
  source.garbageBytes = 300 * MIB
  clock.advance(1000)
  assert.deepEqual([changes, source.collections], [[], 1])
  source.usedBytes = 700 * MIB
  clock.advance(1000)
  assert.deepEqual(changes, [true])
  clock.advance(60_000)
  assert.ok(source.collections >= 5 && source.collections <= 8, String(source.collections))
  source.garbageBytes = 300 * MIB
  clock.advance(11_000)
  assert.deepEqual(changes, [true, false])
})

test("a heap near its bound is low memory, too", () => {
  const { clock, source, changes } = bed(0.6)
  source.heapUsedBytes = 810 * MIB
  clock.advance(1000)
  assert.deepEqual(changes, [true])
})

test("the limit can be changed, and 0 is none", () => {
  const { clock, source, monitor, changes } = bed(0)
  source.usedBytes = 999 * MIB
  source.heapUsedBytes = 999 * MIB
  clock.advance(5000)
  assert.deepEqual([changes, source.collections, monitor.limitBytes], [[], 0, 0])
  monitor.highWatermark = 0.5
  assert.deepEqual(changes, [true])
  monitor.highWatermark = 0
  assert.deepEqual(changes, [true, false])
})

test("the process knows its own memory", () => {
  const memory = new ProcessMemory()
  assert.ok(memory.totalBytes > 64 * MIB && memory.totalBytes < 2 ** 50, String(memory.totalBytes))
  assert.ok(memory.usedBytes > 10 * MIB && memory.usedBytes < memory.totalBytes)
  assert.ok(memory.heapUsedBytes < memory.heapLimitBytes)
  let garbage: number[] | null = Array.from({ length: 4_000_000 }, (_, i) => i + 0.5)
  const before = memory.heapUsedBytes
  assert.ok(garbage.length > 0)
  garbage = null
  memory.collect()
  assert.ok(memory.heapUsedBytes < before - 20 * MIB, `${before} ${memory.heapUsedBytes}`)
})
