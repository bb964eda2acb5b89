/** Bytes on their way out: all of them, in order, and no memory changes while the socket has it. */
import assert from "node:assert/strict"
import { test } from "node:test"
import * as fc from "fast-check"
import {
  Outbox,
  OUTBOX_CHUNK_BYTES,
  OUTBOX_HARD_BYTES,
  OUTBOX_SOFT_BYTES,
  OutboxPool,
} from "../../../src/session/outbox.ts"
import { Chunk } from "../../../src/util/bytes.ts"
import { FakeTransport, RUNS } from "./support.ts"

/** Knows who has which chunk. */
class CheckedPool extends OutboxPool {
  readonly lent = new Set<Chunk>()

  override take(size: number): Chunk {
    const chunk = super.take(size)
    assert.ok(chunk.bytes.length >= size)
    assert.ok(!this.lent.has(chunk), "a chunk has one holder")
    this.lent.add(chunk)
    return chunk
  }

  override give(chunk: Chunk): void {
    assert.ok(this.lent.delete(chunk), "a chunk is given back once")
    chunk.bytes.fill(0xdd) // Whoever still reads it shall notice.
    super.give(chunk)
  }
}

/** Every byte differs from its neighbours in the stream, so that a shift shows. */
function pattern(position: number, size: number): Buffer {
  const bytes = Buffer.allocUnsafe(size)
  for (let i = 0; i < size; i++) bytes[i] = ((position + i) * 31 + ((position + i) >> 8)) & 0xff
  return bytes
}

class Checked {
  readonly transport = new FakeTransport()
  readonly pool = new CheckedPool()
  readonly outbox: Outbox
  drainedCount = 0
  #written = 0
  #taken = 0

  constructor() {
    this.outbox = new Outbox(this.transport, this.pool, () => {
      this.drainedCount++
      assert.ok(this.outbox.hasRoom)
    })
  }

  write(size: number): void {
    this.outbox.write(pattern(this.#written, size))
    this.#written += size
  }

  writeFrom(size: number, offset: number): void {
    const source = new Chunk(Buffer.concat([Buffer.alloc(offset), pattern(this.#written, size)]))
    this.outbox.writeFrom(source, offset, size)
    this.#written += size
  }

  writeByte(): void {
    this.outbox.writeByte(pattern(this.#written, 1)[0]!)
    this.#written++
  }

  reserve(size: number, used: number): void {
    const chunk = this.outbox.reserve(size)
    pattern(this.#written, used).copy(chunk.bytes, this.outbox.used)
    assert.ok(chunk.bytes.length - this.outbox.used >= size)
    this.outbox.used += used
    this.#written += used
  }

  /** The kernel has taken the oldest `count` writes: they must still be what they were. */
  complete(count: number): void {
    for (let i = 0; i < count && this.transport.callbacks.length > 0; i++) {
      const hadRoom = this.outbox.hasRoom
      const drained = this.drainedCount
      const view = this.transport.writes.shift()!
      assert.ok(pattern(this.#taken, view.length).equals(view), "bytes in flight do not change")
      this.#taken += view.length
      this.transport.complete(1)
      const isDrained = !hadRoom && this.outbox.hasRoom
      assert.equal(this.drainedCount, drained + (isDrained ? 1 : 0))
    }
    this.check()
  }

  check(): void {
    const pending = this.#written - this.#taken
    assert.equal(this.outbox.pendingBytes, pending)
    assert.equal(this.outbox.hasRoom, pending < OUTBOX_SOFT_BYTES)
    assert.equal(this.outbox.isOverfull, pending > OUTBOX_HARD_BYTES)
    assert.equal(this.outbox.isEmpty, pending === this.outbox.inFlightBytes)
  }

  finish(): void {
    this.outbox.flush() // Also gives back a chunk that was reserved and never used.
    assert.equal(this.transport.corkCount, 0)
    this.complete(Number.POSITIVE_INFINITY)
    assert.equal(this.#taken, this.#written, "what was held back follows by itself")
    this.outbox.flush()
    assert.equal(this.pool.lent.size, 0, "every chunk comes back")
  }
}

const sizes = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 200 }) },
  { weight: 3, arbitrary: fc.integer({ min: 3900, max: 4300 }) },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 40_000 }) },
  {
    weight: 1,
    arbitrary: fc.integer({ min: OUTBOX_CHUNK_BYTES - 3, max: OUTBOX_CHUNK_BYTES + 3 }),
  },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 3 * OUTBOX_CHUNK_BYTES }) },
)

const steps = fc.array(
  fc.tuple(
    fc.constantFrom("write", "writeFrom", "writeByte", "reserve", "reserve", "flush", "complete"),
    sizes,
    fc.integer({ min: 0, max: 300 }),
  ),
  { maxLength: 80 },
)

function run(checked: Checked, [kind, size, other]: readonly [string, number, number]): void {
  if (kind === "write") checked.write(size)
  else if (kind === "writeFrom") checked.writeFrom(size, other)
  else if (kind === "writeByte") checked.writeByte()
  else if (kind === "flush") checked.outbox.flush()
  else if (kind === "complete") checked.complete(other % 5)
  else {
    const reserved = Math.min(size, OUTBOX_CHUNK_BYTES)
    checked.reserve(reserved, other % 3 === 0 ? 0 : Math.min(reserved, other))
  }
  checked.check()
}

test("all bytes come out in order, whatever their sizes and however late the socket reports", () => {
  fc.assert(
    fc.property(steps, (list) => {
      const checked = new Checked()
      for (const step of list) run(checked, step)
      checked.finish()
    }),
    RUNS,
  )
})

test("what one turn wrote is one write", () => {
  const checked = new Checked()
  for (let i = 0; i < 1000; i++) checked.write(21)
  checked.outbox.flush()
  assert.equal(checked.transport.writes.length, 1)
  checked.finish()
})

test("a full chunk and the rest go out together", () => {
  const checked = new Checked()
  checked.writeFrom(2.5 * OUTBOX_CHUNK_BYTES, 0)
  assert.equal(checked.transport.writes.length, 0, "nothing goes out before the end of the turn")
  checked.outbox.flush()
  assert.ok(checked.transport.writes.length <= 4)
  assert.equal(checked.transport.corkCount, 0)
  checked.finish()
})

test("a client that does not read costs little more than what it was sent", () => {
  const checked = new Checked()
  for (let turn = 0; turn < 2000; turn++) {
    checked.write(100)
    checked.outbox.flush()
  }
  let lentBytes = 0
  for (const chunk of checked.pool.lent) lentBytes += chunk.bytes.length
  assert.ok(lentBytes <= 3 * OUTBOX_CHUNK_BYTES, `${lentBytes} bytes for 200,000`)
  checked.complete(2)
  assert.equal(checked.transport.writes.length, 1, "the rest follows at once")
  checked.finish()
})

test("the last bytes of a connection go out although others are under way", () => {
  const checked = new Checked()
  checked.write(100)
  checked.outbox.flush()
  checked.write(50)
  checked.outbox.flush()
  assert.equal(checked.transport.writes.length, 1)
  checked.outbox.flush(true)
  assert.equal(checked.transport.writes.length, 2)
  checked.finish()
})

test("the limits count what is buffered and what the socket has", () => {
  const checked = new Checked()
  checked.writeFrom(OUTBOX_SOFT_BYTES - 1, 0)
  assert.equal(checked.outbox.hasRoom, true)
  checked.writeByte()
  assert.equal(checked.outbox.hasRoom, false)
  checked.outbox.flush()
  assert.equal(checked.outbox.hasRoom, false)
  checked.writeFrom(OUTBOX_HARD_BYTES - OUTBOX_SOFT_BYTES, 0)
  assert.equal(checked.outbox.isOverfull, false)
  checked.writeByte()
  assert.equal(checked.outbox.isOverfull, true)
  checked.outbox.flush()
  checked.complete(1)
  assert.equal(checked.drainedCount, 0, "still above the soft limit")
  checked.complete(Number.POSITIVE_INFINITY)
  assert.equal(checked.drainedCount, 1)
  checked.finish()
  assert.equal(checked.drainedCount, 1)
})

test("what the kernel takes at once waits for no report, and what it does not keeps its chunk", () => {
  const checked = new Checked()
  const { transport, outbox, pool } = checked
  transport.takesAtOnce = true
  outbox.write(Buffer.from("abc"))
  outbox.flush()
  assert.equal(transport.takeSent().toString(), "abc")
  assert.equal(transport.callbacks.length, 0)
  assert.equal(outbox.pendingBytes, 0)
  assert.equal(pool.lent.size, 0)
  transport.takesAtOnce = false
  outbox.write(Buffer.from("de"))
  outbox.flush()
  assert.equal(outbox.inFlightBytes, 2)
  assert.equal(pool.lent.size, 1)
  outbox.write(Buffer.from("f"))
  outbox.flush()
  assert.equal(transport.takeSent().toString(), "de", "the next ones wait for the report")
  transport.takesAtOnce = true
  transport.complete()
  assert.equal(transport.takeSent().toString(), "f")
  assert.equal(outbox.pendingBytes, 0)
  assert.equal(pool.lent.size, 0)
})

test("a connection that has nothing to send holds no chunk", () => {
  const checked = new Checked()
  checked.write(100)
  checked.outbox.flush()
  checked.complete(1)
  assert.equal(checked.pool.lent.size, 0)
  checked.reserve(100, 0)
  checked.outbox.flush()
  assert.equal(checked.pool.lent.size, 0)
  assert.equal(checked.outbox.chunk, null)
  checked.finish()
})

test("a socket that reports more than was written changes nothing", () => {
  const transport = new FakeTransport()
  const outbox = new Outbox(transport, new CheckedPool(), () => {})
  outbox.write(Buffer.from("abc"))
  outbox.flush()
  const [done] = transport.callbacks
  transport.complete()
  done!()
  assert.equal(transport.writes.length, 1)
  assert.equal(outbox.pendingBytes, 0)
})

test("the pool keeps a bounded number of chunks", () => {
  const pool = new OutboxPool()
  const chunks = Array.from({ length: 200 }, () => pool.take(OUTBOX_CHUNK_BYTES))
  for (const chunk of chunks) pool.give(chunk)
  const known = new Set(chunks)
  let reused = 0
  for (let i = 0; i < 200; i++) if (known.has(pool.take(OUTBOX_CHUNK_BYTES))) reused++
  assert.equal(reused, 64)
})
