/** The watch over free disk space. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { FreeSpaceMonitor } from "../../src/storage/free-space.ts"
import { ManualClock } from "../../src/util/clock.ts"
import { FaultyDisk } from "../support/faulty-disk.ts"

function setUp(): {
  readonly disk: FaultyDisk
  readonly clock: ManualClock
  readonly monitor: FreeSpaceMonitor
  readonly events: unknown[]
} {
  const disk = new FaultyDisk()
  disk.capacityBytes = 1000
  const clock = new ManualClock()
  const events: unknown[] = []
  const monitor = new FreeSpaceMonitor({
    disk,
    clock,
    path: "/data",
    minBytes: 100,
    onChange: (isLow, freeBytes) => events.push([isLow, freeBytes]),
    onError: (error) => events.push(String(error)),
  })
  return { disk, clock, monitor, events }
}

test("says when space falls below the limit and when it is back, and nothing between", () => {
  const { disk, clock, monitor, events } = setUp()
  monitor.start()
  clock.advance(60_000)
  assert.deepEqual(events, [])
  disk.capacityBytes = 99
  clock.advance(4999)
  assert.deepEqual(events, [])
  clock.advance(1)
  assert.deepEqual(events, [[true, 99]])
  disk.capacityBytes = 50
  clock.advance(60_000)
  assert.equal(events.length, 1)
  disk.capacityBytes = 100
  clock.advance(999)
  assert.equal(events.length, 1)
  clock.advance(1)
  assert.deepEqual(events, [
    [true, 99],
    [false, 100],
  ])
  assert.equal(monitor.isLow, false)
})

test("says so at the start if space is low by then", () => {
  const { disk, monitor, events } = setUp()
  disk.capacityBytes = 10
  monitor.start()
  assert.deepEqual(events, [[true, 10]])
})

test("looks at once when asked", () => {
  const { disk, monitor, events } = setUp()
  monitor.start()
  disk.capacityBytes = 0
  monitor.check()
  assert.deepEqual(events, [[true, 0]])
})

test("a disk that cannot tell is reported once and changes nothing", () => {
  const { disk, clock, monitor, events } = setUp()
  disk.capacityBytes = 10
  monitor.start()
  disk.failCall("freeBytes", 1, "EIO", { repeat: true })
  clock.advance(10_000)
  assert.equal(events.length, 2)
  assert.match(String(events[1]), /EIO/)
  assert.equal(monitor.isLow, true)
  disk.heal()
  clock.advance(1000)
  assert.deepEqual(events.slice(2), [[false, Number.MAX_SAFE_INTEGER]])
})

test("looks no more after stop", () => {
  const { disk, clock, monitor } = setUp()
  monitor.start()
  monitor.stop()
  const { freeBytes } = disk.calls
  clock.advance(100_000)
  assert.equal(disk.calls.freeBytes, freeBytes)
})
