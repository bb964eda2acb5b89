/**
 * Nanoseconds per append, shift and ack of a message store, in the ways in which a queue is used.
 * The median of all turns, which a busy machine disturbs least. Prints a sum of the work, so that a
 * faster run that does less shows.
 *
 *   node bench/micro/store.bench.ts [messages]
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { MemoryDisk } from "../../src/storage/memory-disk.ts"
import { StoredMessage } from "../../src/storage/message.ts"
import type { MessageStore } from "../../src/storage/message-store.ts"
import { NodeDisk } from "../../src/storage/node-disk.ts"
import { incoming, StoreBed } from "../../test/support/store-bed.ts"

const count = Number(process.argv[2] ?? 4_000_000)
/** What one turn of the broker reads from a socket, in messages of 16 bytes. */
const TURN = 2000

const into = new StoredMessage()
const message = incoming(Buffer.alloc(16, "x"), { key: "load" })
const positions = new Uint32Array(TURN)
const segments = new Uint32Array(TURN)
let sum = 0

/** Time per message of every turn, by kind of work. */
class Times {
  readonly #samples = new Map<string, number[]>()

  add(kind: string, startMs: number): void {
    const samples = this.#samples.get(kind) ?? []
    samples.push(((performance.now() - startMs) * 1e6) / TURN)
    this.#samples.set(kind, samples)
  }

  print(name: string): void {
    const parts = [...this.#samples].map(([kind, samples]) => {
      const median = samples.toSorted((left, right) => left - right)[samples.length >> 1]!
      return `${kind} ${median.toFixed(1).padStart(6)}`
    })
    console.log(`${name.padEnd(28)} ${parts.join("   ")} ns`)
  }
}

function append(store: MessageStore, times: Times): void {
  const start = performance.now()
  for (let i = 0; i < TURN; i++) if (!store.append(message)) throw new Error("refused")
  times.add("append", start)
}

/** Bodies as they lie between the frames of a publisher that repeats itself. */
const STRIDE = 58
const run = incoming(Buffer.alloc(TURN * STRIDE, "x"), { key: "load" })

function appendRun(store: MessageStore, times: Times): void {
  run.bodyStart = 0
  run.bodyEnd = 16
  const start = performance.now()
  if (store.appendRun(run, TURN, STRIDE) !== TURN) throw new Error("refused")
  times.add("append", start)
}

function shiftAndAckRuns(store: MessageStore, times: Times): void {
  const start = performance.now()
  for (let left = TURN; left > 0;) {
    const taken = store.shiftRun(into, left, 32 << 10)
    if (taken === 0) throw new Error("nothing there")
    store.ack(into.segment, into.position, into.size, 16, taken)
    sum += taken * (into.bodyEnd - into.bodyStart + into.propertiesEnd - into.routeStart)
    left -= taken
  }
  times.add("shift and ack", start)
}

function shiftAndAck(store: MessageStore, times: Times): void {
  let start = performance.now()
  for (let i = 0; i < TURN; i++) {
    if (!store.shift(into)) throw new Error("nothing there")
    positions[i] = into.position
    segments[i] = into.segment
    sum += into.bodyEnd - into.bodyStart + into.propertiesEnd - into.routeStart
  }
  times.add("shift", start)
  start = performance.now()
  for (let i = 0; i < TURN; i++) store.ack(segments[i]!, positions[i]!, into.size, 16)
  times.add("ack", start)
}

function write(bed: StoreBed, times: Times): void {
  const start = performance.now()
  bed.turn()
  times.add("write", start)
}

function throughTail(name: string, bed: StoreBed, store: MessageStore): void {
  const times = new Times()
  for (let done = 0; done < count; done += TURN) {
    append(store, times)
    shiftAndAck(store, times)
    write(bed, times)
  }
  times.print(`${name}, at once`)
}

function runsThroughTail(name: string, bed: StoreBed, store: MessageStore): void {
  const times = new Times()
  for (let done = 0; done < count; done += TURN) {
    appendRun(store, times)
    shiftAndAckRuns(store, times)
    write(bed, times)
  }
  times.print(`${name}, in runs`)
}

function fillAndDrain(name: string, bed: StoreBed, store: MessageStore): void {
  const fill = new Times()
  for (let done = 0; done < count; done += TURN) {
    append(store, fill)
    write(bed, fill)
  }
  fill.print(`${name}, fill`)
  const drain = new Times()
  for (let done = 0; done < count; done += TURN) {
    shiftAndAck(store, drain)
    write(bed, drain)
  }
  drain.print(`${name}, drain`)
}

function requeueAll(bed: StoreBed, store: MessageStore): void {
  const each = Math.min(count, 100_000)
  for (let i = 0; i < each; i++) store.append(message)
  const taken: number[] = []
  for (let i = 0; i < each; i++) {
    store.shift(into)
    taken.push(into.segment, into.position)
  }
  bed.turn()
  const startMs = performance.now()
  for (let i = 0; i < each; i++) {
    const at = ((i * 7919) % each) * 2
    store.requeue(taken[at]!, taken[at + 1]!, into.size, 16)
  }
  const middleMs = performance.now()
  for (let i = 0; i < each; i++) if (!store.shift(into)) throw new Error("nothing there")
  const endMs = performance.now()
  console.log(
    `${each} requeued in any order: ${(middleMs - startMs).toFixed(1)} ms,` +
      ` taken again: ${(endMs - middleMs).toFixed(1)} ms`,
  )
  store.delete()
}

function open(disk: MemoryDisk | NodeDisk, directory: string): [StoreBed, MessageStore] {
  const bed = new StoreBed(disk, { sync: false })
  return [bed, bed.store(true, directory)]
}

const root = mkdtempSync(join(tmpdir(), "sluice-bench-"))
try {
  // The first round warms up: only the second counts.
  for (const round of ["warm-up", "measured"]) {
    console.log(round)
    throughTail("memory", ...open(new MemoryDisk(), "/queue"))
    runsThroughTail("memory", ...open(new MemoryDisk(), "/queue"))
    fillAndDrain("memory", ...open(new MemoryDisk(), "/queue"))
    throughTail("disk", ...open(new NodeDisk(), join(root, round, "at-once")))
    fillAndDrain("disk", ...open(new NodeDisk(), join(root, round, "drain")))
    requeueAll(...open(new MemoryDisk(), "/queue"))
  }
  console.log(`work ${sum}`)
} finally {
  rmSync(root, { recursive: true, force: true })
}
