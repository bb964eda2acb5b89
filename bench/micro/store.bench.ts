/**
 * Nanoseconds per append, shift and ack of a message store, in the three ways in which a queue is
 * used. Prints a checksum of the work, so that a faster run that does less shows.
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

interface Times {
  append: number
  shift: number
  ack: number
  write: number
}

const into = new StoredMessage()
const message = incoming(Buffer.alloc(16, "x"), { key: "load" })
let sum = 0

function now(): number {
  return performance.now() * 1e6
}

function append(store: MessageStore, times: Times): void {
  const start = now()
  for (let i = 0; i < TURN; i++) if (!store.append(message)) throw new Error("refused")
  times.append += now() - start
}

const positions = new Uint32Array(TURN)
const segments = new Uint32Array(TURN)

function shiftAndAck(store: MessageStore, times: Times): void {
  let start = now()
  for (let i = 0; i < TURN; i++) {
    if (!store.shift(into)) throw new Error("nothing there")
    positions[i] = into.position
    segments[i] = into.segment
    sum += into.bodyEnd - into.bodyStart + into.propertiesEnd - into.routeStart
  }
  times.shift += now() - start
  start = now()
  for (let i = 0; i < TURN; i++) store.ack(segments[i]!, positions[i]!, into.size, 16)
  times.ack += now() - start
}

function write(bed: StoreBed, times: Times): void {
  const start = now()
  bed.turn()
  times.write += now() - start
}

function perMessage(total: number): string {
  return (total / count).toFixed(1).padStart(6)
}

function report(name: string, times: Times): void {
  console.log(
    `${name.padEnd(34)} append ${perMessage(times.append)}  shift ${perMessage(times.shift)}` +
      `  ack ${perMessage(times.ack)}  write ${perMessage(times.write)} ns`,
  )
}

function throughTail(bed: StoreBed, name: string): void {
  const store = bed.store()
  const times = { append: 0, shift: 0, ack: 0, write: 0 }
  for (let done = 0; done < count; done += TURN) {
    append(store, times)
    shiftAndAck(store, times)
    write(bed, times)
  }
  report(name, times)
  store.delete()
}

function fillAndDrain(bed: StoreBed, store: MessageStore, name: string): void {
  const times = { append: 0, shift: 0, ack: 0, write: 0 }
  for (let done = 0; done < count; done += TURN) {
    append(store, times)
    write(bed, times)
  }
  report(`${name}, fill`, times)
  const drain = { append: 0, shift: 0, ack: 0, write: 0 }
  for (let done = 0; done < count; done += TURN) {
    shiftAndAck(store, drain)
    write(bed, drain)
  }
  report(`${name}, drain`, drain)
  store.delete()
}

function requeueAll(bed: StoreBed): void {
  const store = bed.store()
  const each = Math.min(count, 100_000)
  for (let i = 0; i < each; i++) store.append(message)
  const taken: number[] = []
  for (let i = 0; i < each; i++) {
    store.shift(into)
    taken.push(into.segment, into.position)
  }
  let start = now()
  for (let i = 0; i < each; i++) {
    const at = ((i * 7919) % each) * 2
    store.requeue(taken[at]!, taken[at + 1]!, into.size, 16)
  }
  const requeued = (now() - start) / 1e6
  start = now()
  for (let i = 0; i < each; i++) if (!store.shift(into)) throw new Error("nothing there")
  const shifted = (now() - start) / 1e6
  console.log(
    `requeue of ${each} in any order: ${requeued.toFixed(1)} ms, shift ${shifted.toFixed(1)} ms`,
  )
  store.delete()
}

const directory = mkdtempSync(join(tmpdir(), "sluice-bench-"))
try {
  // The first round warms up: only the second counts.
  for (const round of ["warm-up", "measured"]) {
    console.log(round)
    throughTail(new StoreBed(new MemoryDisk(), { sync: false }), "memory, consumed at once")
    const memory = new StoreBed(new MemoryDisk(), { sync: false })
    fillAndDrain(memory, memory.store(), "memory")
    const bed = new StoreBed(new NodeDisk(), { sync: false })
    fillAndDrain(bed, bed.store(true, join(directory, "queue")), "disk")
    requeueAll(memory)
  }
  console.log(`work ${sum}`)
} finally {
  rmSync(directory, { recursive: true, force: true })
}
