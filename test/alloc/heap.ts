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

/** Runs of `run` before the optimising compiler has finished. */
const WARM_UP_COUNT = 60

/** `run` does `operationCount` operations. */
export function heapBytesPerOperation(operationCount: number, run: () => void): number {
  assert.ok(globalThis.gc !== undefined, "run with --expose-gc")
  for (let i = 0; i < WARM_UP_COUNT; i++) run()
  globalThis.gc()
  const runCount = Math.ceil(200_000 / operationCount)
  const before = process.memoryUsage().heapUsed
  for (let i = 0; i < runCount; i++) run()
  return (process.memoryUsage().heapUsed - before) / (runCount * operationCount)
}

export interface Measured {
  readonly harness: Harness
  readonly queue: Queue
  /** Ends the turn and lets the socket take what was written. */
  endTurn(): void
  /** Ends turns until all is delivered. */
  deliverAll(): void
}

/** A connection with channels 1 and 2, and a durable queue `q` whose store is on a disk in memory. */
export async function openMeasured(): Promise<Measured> {
  const disk = new MemoryDisk()
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
  const harness = await Harness.open({
    openStore: ({ name, durable }) =>
      new MessageStore(context, `/memory/${name}`, { durable, name }),
  })
  turn = harness.turn
  const queue = harness.declare("q")
  const { transport } = harness
  const endTurn = (): void => {
    harness.endTurn()
    // Without the copies that other tests look at.
    while (transport.callbacks.length > 0) {
      transport.writes.length = 0
      transport.sent.length = 0
      transport.callbacks.pop()!()
    }
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
