import assert from "node:assert/strict"
import { test } from "node:test"
import { AssertionError } from "../../../src/util/assert.ts"
import { BUFFER_SIZE_MAX, BUFFER_SIZE_MIN, BufferPool } from "../../../src/util/buffer-pool.ts"
import type { BufferHolder } from "../../../src/util/buffer-pool.ts"

test("a chunk is of the smallest size that is large enough", () => {
  const pool = new BufferPool()
  for (const [wanted, size] of [
    [0, BUFFER_SIZE_MIN],
    [BUFFER_SIZE_MIN, BUFFER_SIZE_MIN],
    [BUFFER_SIZE_MIN + 1, 16 << 10],
    [65_536, 64 << 10],
    [65_537, BUFFER_SIZE_MAX],
    [BUFFER_SIZE_MAX, BUFFER_SIZE_MAX],
  ] as const)
    assert.equal(pool.acquire(wanted)?.bytes.length, size)
  assert.equal(pool.acquire(BUFFER_SIZE_MAX + 1), null)
})

test("a released chunk is lent again, and kept only up to the limit", () => {
  const pool = new BufferPool({ keepBytes: 3 * BUFFER_SIZE_MIN })
  const chunks = Array.from({ length: 5 }, () => pool.acquire(1)!)
  assert.equal(pool.inUseBytes, 5 * BUFFER_SIZE_MIN)
  for (const chunk of chunks) pool.release(chunk)
  assert.equal(pool.inUseBytes, 0)
  assert.equal(pool.keptBytes, 3 * BUFFER_SIZE_MIN)
  assert.ok(chunks.includes(pool.acquire(1)!))
  assert.equal(pool.keptBytes, 2 * BUFFER_SIZE_MIN)
})

test("above the soft limit there is pressure, above the hard one nothing is lent", () => {
  const pool = new BufferPool({ softBytes: BUFFER_SIZE_MIN, limitBytes: 2 * BUFFER_SIZE_MIN })
  pool.acquire(1)
  assert.equal(pool.underPressure, false)
  const second = pool.acquire(1)!
  assert.ok(pool.underPressure)
  assert.equal(pool.acquire(1), null)
  pool.release(second)
  assert.ok(pool.acquire(1) !== null)
})

test("a chunk that is released twice, or comes from elsewhere, is refused", () => {
  const pool = new BufferPool()
  const chunk = pool.acquire(1)!
  pool.release(chunk)
  assert.throws(() => pool.release(chunk), AssertionError)
  assert.throws(() => new BufferPool().release(pool.acquire(1)!), AssertionError)
})

test("a holder is visited until it holds nothing more, or is gone", () => {
  const pool = new BufferPool()
  let visits = 0
  const holder: BufferHolder = { releaseIdleBuffers: () => ++visits < 3 }
  pool.hold(holder)
  for (let i = 0; i < 5; i++) pool.sweep()
  assert.equal(visits, 3)
  pool.hold(holder)
  pool.unhold(holder)
  pool.sweep()
  assert.equal(visits, 3)
})
