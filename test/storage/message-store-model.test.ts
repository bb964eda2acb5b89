import assert from "node:assert/strict"
import { test } from "node:test"
import * as fc from "fast-check"
import { checkStore } from "../../src/storage/check.ts"
import { StoredMessage } from "../../src/storage/message.ts"
import type { MessageStore } from "../../src/storage/message-store.ts"
import { FaultyDisk } from "../support/faulty-disk.ts"
import { chooseSeed } from "../support/seed.ts"
import { ack, requeue, StoreBed, STORE_DIRECTORY } from "../support/store-bed.ts"
import type { StoreBedOptions, Taken } from "../support/store-bed.ts"

/**
 * Random operations against a list. What the store hands out must be what the list says, at every
 * step, also after a clean restart and after kill -9.
 */
interface Entry {
  readonly body: string
  state: "ready" | "unacked" | "settled"
  wasTaken: boolean
  taken: Taken | null
}

class Model {
  disk = new FaultyDisk()
  bed: StoreBed
  store: MessageStore
  readonly #options: StoreBedOptions
  readonly #into = new StoredMessage()
  #entries: Entry[] = []
  #lastId = 0
  /** Bodies that the files have for sure, and those that they may have besides. */
  #written = new Set<string>()

  constructor(options: StoreBedOptions) {
    this.#options = options
    this.bed = new StoreBed(this.disk, options)
    this.store = this.bed.store()
  }

  append(size: number): void {
    const body = `${++this.#lastId}:`.padEnd(size, "x")
    assert.ok(this.bed.append(this.store, body))
    this.#entries.push({ body, state: "ready", wasTaken: false, taken: null })
  }

  appendRun(size: number): void {
    const bodies: string[] = []
    for (let i = 0; i < 2 + (size % 30); i++) bodies.push(`${++this.#lastId}:`.padEnd(size, "x"))
    assert.equal(this.bed.appendRun(this.store, bodies), bodies.length)
    for (const body of bodies)
      this.#entries.push({ body, state: "ready", wasTaken: false, taken: null })
  }

  #ready(): Entry[] {
    return this.#entries.filter((entry) => entry.state === "ready")
  }

  #unacked(): Entry[] {
    return this.#entries.filter((entry) => entry.state === "unacked")
  }

  shift(): void {
    const [expected] = this.#ready()
    const peeked = this.bed.peek(this.store)
    const taken = this.bed.take(this.store)
    assert.deepEqual(peeked, taken)
    assert.equal(taken?.body, expected?.body)
    if (expected === undefined || taken === null) return
    assert.equal(taken.redelivered, expected.wasTaken)
    assert.equal(taken.bodySize, expected.body.length)
    expected.state = "unacked"
    expected.wasTaken = true
    expected.taken = taken
  }

  /** Takes a run, and settles it as one or leaves it. */
  shiftRun(choice: number): void {
    const ready = this.#ready()
    const taken = this.bed.takeRun(this.store, 1 + (choice % 40), 1 + (choice % 700))
    assert.equal(taken.length > 0, ready.length > 0)
    const [first] = taken
    if (first === undefined) return
    for (const [index, one] of taken.entries()) {
      const entry = ready[index]!
      assert.equal(one.body, entry.body)
      assert.equal(one.redelivered, entry.wasTaken)
      assert.equal(one.position, first.position + index * first.size)
      entry.state = choice % 3 === 0 ? "settled" : "unacked"
      entry.wasTaken = true
      entry.taken = one
    }
    if (choice % 3 !== 0) return
    this.store.ack(first.segment, first.position, first.size, first.bodySize, taken.length)
  }

  /** Looks at some of the ready ones, which changes nothing. */
  browse(choice: number): void {
    const ready = this.#ready()
    const skip = choice % (ready.length + 2)
    const limit = 1 + (choice % 7)
    const found: [string, boolean][] = []
    this.store.browse(skip, (message) => {
      const { bytes } = message.chunk
      const body = bytes.toString("latin1", message.bodyStart, message.bodyEnd)
      found.push([body, message.redelivered])
      return found.length < limit
    })
    assert.deepEqual(
      found,
      ready.slice(skip, skip + limit).map((entry) => [entry.body, entry.wasTaken]),
    )
  }

  /** Reads one that was taken a second time. */
  read(choice: number): void {
    const unacked = this.#unacked()
    const entry = unacked[choice % Math.max(1, unacked.length)]
    if (entry === undefined) return
    const { segment, position, size } = entry.taken!
    assert.ok(this.store.mayHold(segment, position))
    const into = this.#into
    assert.ok(this.store.read(segment, position, size, into))
    assert.equal(into.chunk.bytes.toString("latin1", into.bodyStart, into.bodyEnd), entry.body)
  }

  ack(choice: number): void {
    const unacked = this.#unacked()
    const entry = unacked[choice % Math.max(1, unacked.length)]
    if (entry === undefined) return
    ack(this.store, entry.taken!)
    entry.state = "settled"
  }

  requeue(choice: number): void {
    const unacked = this.#unacked()
    const entry = unacked[choice % Math.max(1, unacked.length)]
    if (entry === undefined) return
    requeue(this.store, entry.taken!)
    entry.state = "ready"
  }

  /** As many as lie one behind the other, of one size. */
  requeueRun(choice: number): void {
    const unacked = this.#unacked()
    const at = choice % Math.max(1, unacked.length)
    const first = unacked[at]?.taken
    if (first === undefined || first === null) return
    let count = 1
    for (const { taken } of unacked.slice(at + 1)) {
      const isNext =
        taken?.segment === first.segment &&
        taken.position === first.position + count * first.size &&
        taken.size === first.size &&
        taken.bodySize === first.bodySize
      if (!isNext) break
      count++
    }
    this.store.requeue(first.segment, first.position, first.size, first.bodySize, count)
    for (const entry of unacked.slice(at, at + count)) entry.state = "ready"
  }

  purge(): void {
    const ready = this.#ready()
    assert.equal(this.store.purge(), ready.length)
    for (const entry of ready) entry.state = "settled"
  }

  turn(): void {
    this.bed.turn()
    assert.equal(this.store.failed, false)
    this.#entries = this.#entries.filter((entry) => entry.state !== "settled")
    this.#written = new Set(this.#entries.map((entry) => entry.body))
    this.#check()
  }

  sweep(): void {
    this.bed.buffers.sweep()
  }

  resetIfIdle(): void {
    const isEmpty = this.#entries.every((entry) => entry.state === "settled")
    const isReset = this.store.resetIfIdle()
    assert.ok(isEmpty || !isReset)
    if (!isReset) return
    assert.deepEqual(this.disk.list(STORE_DIRECTORY), [])
    this.store = this.bed.store()
  }

  restart(): void {
    this.turn()
    this.store.close()
    this.#check()
    assert.equal(this.bed.buffers.inUseBytes, 0)
    for (const entry of this.#entries) this.#forget(entry)
    this.#open(this.disk)
    this.verify()
  }

  kill(): void {
    const { disk } = this
    const before = this.#entries
    this.#open(disk.crash("kill"))
    const found = this.bed.drain(this.store)
    const isFound = new Set(found)
    for (const body of this.#written) assert.ok(isFound.has(body), `lost ${body}`)
    const possible = new Set(before.map((entry) => entry.body))
    for (const body of found) assert.ok(possible.has(body), `${body} was settled or never written`)
    const inOrder = before.map((entry) => entry.body).filter((body) => isFound.has(body))
    assert.deepEqual(found, inOrder)
    // Reading settled them in this store only: open what was there once more.
    this.#open(disk.crash("kill"))
    this.#entries = before.filter((entry) => isFound.has(entry.body))
    for (const entry of this.#entries) this.#forget(entry)
    this.verify()
    this.turn()
  }

  #forget(entry: Entry): void {
    entry.state = "ready"
    entry.wasTaken = false
    entry.taken = null
  }

  #open(disk: FaultyDisk): void {
    this.disk = disk
    this.bed = new StoreBed(disk, this.#options)
    const { store, report } = this.bed.open()
    this.store = store
    assert.equal(report.quarantinedBytes, 0)
    assert.equal(report.unreadableCount, 0)
  }

  verify(): void {
    const ready = this.#ready()
    const unacked = this.#unacked()
    assert.equal(this.store.readyCount, ready.length)
    assert.equal(this.store.readyBytes, totalSize(ready))
    assert.equal(this.store.unackedCount, unacked.length)
    assert.equal(this.store.unackedBytes, totalSize(unacked))
    assert.equal(this.store.lostCount, 0)
  }

  #check(): void {
    const report = checkStore(this.disk, STORE_DIRECTORY)
    assert.deepEqual(report.problems, [])
    assert.equal(report.readyCount, this.#ready().length + this.#unacked().length)
  }

  finish(): void {
    this.turn()
    this.restart()
    assert.deepEqual(
      this.bed.drain(this.store),
      this.#ready().map((entry) => entry.body),
    )
    this.bed.turns()
    assert.deepEqual(checkStore(this.disk, STORE_DIRECTORY).problems, [])
    assert.deepEqual(
      this.bed.log.filter((entry) => entry.level === "error"),
      [],
    )
    assert.ok(this.store.resetIfIdle())
    assert.equal(this.bed.buffers.inUseBytes, 0)
  }
}

function totalSize(entries: readonly Entry[]): number {
  return entries.reduce((sum, entry) => sum + entry.body.length, 0)
}

type Step = readonly [name: string, argument: number]

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 30, arbitrary: fc.tuple(fc.constant("append"), fc.integer({ min: 4, max: 60 })) },
  { weight: 2, arbitrary: fc.tuple(fc.constant("append"), fc.integer({ min: 200, max: 3000 })) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.constant("append"), fc.integer({ min: 60_000, max: 70_000 })),
  },
  { weight: 4, arbitrary: fc.tuple(fc.constant("appendRun"), fc.integer({ min: 8, max: 60 })) },
  { weight: 1, arbitrary: fc.tuple(fc.constant("appendRun"), fc.integer({ min: 200, max: 3000 })) },
  { weight: 12, arbitrary: fc.tuple(fc.constant("shiftRun"), fc.nat(10_000)) },
  { weight: 25, arbitrary: fc.tuple(fc.constant("shift"), fc.constant(0)) },
  { weight: 5, arbitrary: fc.tuple(fc.constant("browse"), fc.nat(1000)) },
  { weight: 5, arbitrary: fc.tuple(fc.constant("read"), fc.nat(1000)) },
  { weight: 15, arbitrary: fc.tuple(fc.constant("ack"), fc.nat(1000)) },
  { weight: 4, arbitrary: fc.tuple(fc.constant("requeue"), fc.nat(1000)) },
  { weight: 4, arbitrary: fc.tuple(fc.constant("requeueRun"), fc.nat(1000)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant("purge"), fc.constant(0)) },
  { weight: 12, arbitrary: fc.tuple(fc.constant("turn"), fc.constant(0)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant("sweep"), fc.constant(0)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant("resetIfIdle"), fc.constant(0)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant("restart"), fc.constant(0)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant("kill"), fc.constant(0)) },
)

function run(steps: readonly Step[], options: StoreBedOptions): void {
  const model = new Model(options)
  for (const [name, argument] of steps) {
    if (name === "append") model.append(argument)
    else if (name === "appendRun") model.appendRun(argument)
    else if (name === "shiftRun") model.shiftRun(argument)
    else if (name === "shift") model.shift()
    else if (name === "browse") model.browse(argument)
    else if (name === "read") model.read(argument)
    else if (name === "ack") model.ack(argument)
    else if (name === "requeue") model.requeue(argument)
    else if (name === "requeueRun") model.requeueRun(argument)
    else if (name === "purge") model.purge()
    else if (name === "turn") model.turn()
    else if (name === "sweep") model.sweep()
    else if (name === "resetIfIdle") model.resetIfIdle()
    else if (name === "restart") model.restart()
    else model.kill()
    model.verify()
  }
  model.finish()
}

const sizes: readonly (readonly [string, StoreBedOptions])[] = [
  ["segments of a few messages", { segmentSizeBytes: 400 }],
  ["segments of some hundred messages", { segmentSizeBytes: 8000, openFilesMax: 2 }],
  ["segments as large as usual", {}],
  [
    "hardly any buffers",
    { segmentSizeBytes: 8000, buffers: { softBytes: 0, limitBytes: 4096, keepBytes: 0 } },
  ],
  ["no buffers at all", { segmentSizeBytes: 3000, buffers: { limitBytes: 0 } }],
]

for (const [name, options] of sizes)
  test(`a store does what a list does, with ${name}`, () => {
    const seed = chooseSeed(name)
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 300, size: "max" }), (steps) =>
        run(steps, options),
      ),
      { seed, numRuns: Number(process.env["RUNS"] ?? 60), interruptAfterTimeLimit: 20_000 },
    )
  })
