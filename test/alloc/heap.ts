/**
 * Heap bytes per operation, and a broker with a real store on a disk in memory to measure. Run with
 * --expose-gc --min-semi-space-size=64, so that no collection falls into the window.
 */
import assert from "node:assert/strict"
import { GroupCommit } from "../../src/storage/group-commit.ts"
import { MemoryDisk } from "../../src/storage/memory-disk.ts"
import { MessageStore } from "../../src/storage/message-store.ts"
import { OpenFiles } from "../../src/storage/open-files.ts"
import type { StoreContext } from "../../src/storage/store-context.ts"
import type { Queue } from "../../src/broker/queue/queue.ts"
import type { Turn } from "../../src/broker/turn.ts"
import { BufferPool } from "../../src/util/buffer-pool.ts"
import { ManualClock } from "../../src/util/clock.ts"
import { silentLogger } from "../../src/util/logger.ts"
import { writeContentHeaderFrame, writeFrame } from "../../src/amqp/frames.ts"
import { methodFrame } from "../support/wire-frames.ts"
import { Harness } from "../unit/session/session-harness.ts"
import { FakeTransport } from "../unit/session/support.ts"

/**
 * The smallest object has 16 bytes, so below 3 there is none per message. What is left is what every
 * turn, every chunk of 128 KiB for the socket and every write of a store cost.
 */
export const BYTES_PER_MESSAGE_MAX = 3

const WINDOW_COUNT_MAX = 50
const WINDOW_OPERATIONS = 200_000

/**
 * `run` does `operationCount` operations. The best of some windows of 200,000: while the optimising
 * compiler still works, its own memory is counted too, but what the code allocates is in all of them.
 */
export function heapBytesPerOperation(operationCount: number, run: () => void): number {
  assert.ok(globalThis.gc !== undefined, "run with --expose-gc")
  const runCount = Math.ceil(WINDOW_OPERATIONS / operationCount)
  let best = Number.POSITIVE_INFINITY
  globalThis.gc() // Not before each window: it makes the compiler start over.
  for (let window = 0; window < WINDOW_COUNT_MAX && best >= BYTES_PER_MESSAGE_MAX / 3; window++) {
    const before = process.memoryUsage().heapUsed
    for (let i = 0; i < runCount; i++) run()
    const used = process.memoryUsage().heapUsed - before
    // Less than before: a collection fell into the window.
    if (used >= 0) best = Math.min(best, used / (runCount * operationCount))
  }
  return best
}

export interface Measured {
  readonly harness: Harness
  readonly queue: Queue
  /** Ends the turn and lets the socket take what was written. */
  readonly endTurn: () => void
  /** Ends turns until all is delivered. */
  readonly deliverAll: () => void
}

/** Forgets what is written, so that only the broker's own memory is measured. */
class ForgetfulDisk extends MemoryDisk {
  override write(): void {}
}

class ForgetfulTransport extends FakeTransport {
  override write(_bytes: Uint8Array, done?: () => void): void {
    if (done !== undefined) this.callbacks.push(done)
  }
}

/**
 * A connection with channels 1 and 2, and a durable queue `q` with a store. Only a store that is
 * read after its messages have left memory needs `keepsFiles`.
 */
export async function openMeasured(keepsFiles = false): Promise<Measured> {
  const disk = keepsFiles ? new MemoryDisk() : new ForgetfulDisk()
  const openFiles = new OpenFiles(disk)
  let turn: Turn | null = null
  const context: StoreContext = {
    disk,
    openFiles,
    commit: new GroupCommit(disk, openFiles, { sync: false }),
    buffers: new BufferPool(),
    segmentSizeBytes: 8 << 20,
    clock: new ManualClock(),
    log: silentLogger,
    markDirty: (store) => turn?.markWritable(store),
  }
  const transport = new ForgetfulTransport()
  const harness = await Harness.open({
    transport,
    openStore: ({ name, durable }) =>
      new MessageStore(context, `/memory/${name}`, { durable, name }),
  })
  turn = harness.turn
  const queue = harness.declare("q")
  const endTurn = (): void => {
    harness.endTurn()
    while (transport.callbacks.length > 0) transport.callbacks.pop()!()
  }
  const deliverAll = (): void => {
    for (let left = 1000; queue.readyCount > 0; left--) {
      assert.ok(left > 0 && harness.connection.isRunning, "the consumer takes no more")
      endTurn()
    }
  }
  return { harness, queue, endTurn, deliverAll }
}

/** So many equal publishes on channel 1 as one received chunk. */
export function publishes(count: number, body: string, persistent: boolean): Buffer {
  const properties = persistent ? Buffer.from([0x10, 0, 2]) : Buffer.from([0, 0])
  const one = Buffer.concat([
    methodFrame("basic.publish", 1, { exchange: "", routingKey: "q" }),
    writeContentHeaderFrame(1, body.length, properties),
    body === "" ? Buffer.alloc(0) : writeFrame(3, 1, Buffer.from(body)),
  ])
  return Buffer.from(Buffer.concat(Array(count).fill(one)))
}
