import assert from "node:assert/strict"
import { test } from "node:test"
import { MessageMerger } from "../../../src/net/message-merger.ts"
import type { BytesReceiver } from "../../../src/net/message-merger.ts"
import type { Chunk } from "../../../src/util/bytes.ts"
import { chooseSeed, createRandom } from "../../support/seed.ts"

class Receiver implements BytesReceiver {
  readonly pieces: Buffer[] = []
  onPiece: (() => void) | null = null

  onChunk(chunk: Chunk, size: number): void {
    const piece = Buffer.from(chunk.bytes.subarray(0, size))
    this.onPiece?.()
    assert.ok(piece.equals(chunk.bytes.subarray(0, size)), "the bytes are valid during the call")
    this.pieces.push(piece)
  }

  get sizes(): number[] {
    return this.pieces.map((piece) => piece.length)
  }
}

/** Behind everything that was scheduled in this turn. */
const endOfRead = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve))

test("small messages of one read are one piece, handed over at its end", async () => {
  const merger = new MessageMerger()
  const receiver = new Receiver()
  for (const text of ["a", "bc", "", "def"]) merger.add(Buffer.from(text), receiver)
  assert.deepEqual(receiver.sizes, [])
  await endOfRead()
  assert.deepEqual(receiver.pieces.map(String), ["abcdef"])
  merger.add(Buffer.from("next"), receiver)
  await endOfRead()
  assert.deepEqual(receiver.pieces.map(String), ["abcdef", "next"])
})

test("a large message is not copied and comes behind the small ones before it", async () => {
  const merger = new MessageMerger()
  const receiver = new Receiver()
  merger.add(Buffer.from("small"), receiver)
  merger.add(Buffer.alloc(300_000, "x"), receiver)
  merger.add(Buffer.from("behind"), receiver)
  assert.deepEqual(receiver.sizes, [5, 131_072, 131_072, 37_856])
  await endOfRead()
  assert.equal(String(receiver.pieces.at(-1)), "behind")
})

test("what has no room is handed over before the rest", async () => {
  const merger = new MessageMerger()
  const receiver = new Receiver()
  for (let i = 0; i < 20; i++) merger.add(Buffer.alloc(4096, i), receiver)
  assert.deepEqual(receiver.sizes, [65_536])
  await endOfRead()
  assert.deepEqual(receiver.sizes, [65_536, 16_384])
})

test("the bytes of two connections do not mix", async () => {
  const merger = new MessageMerger()
  const one = new Receiver()
  const other = new Receiver()
  merger.add(Buffer.from("1"), one)
  merger.add(Buffer.from("2"), other)
  assert.deepEqual(one.pieces.map(String), ["1"])
  merger.add(Buffer.from("3"), other)
  await endOfRead()
  assert.deepEqual(one.pieces.map(String), ["1"])
  assert.deepEqual(other.pieces.map(String), ["23"])
})

test("a receiver that throws, or by which more is added, spoils nothing", async () => {
  const merger = new MessageMerger()
  const receiver = new Receiver()
  const other = new Receiver()
  receiver.onPiece = (): void => {
    receiver.onPiece = null
    merger.add(Buffer.from("within"), other)
    merger.flush()
  }
  merger.add(Buffer.from("outer"), receiver)
  merger.flush()
  assert.deepEqual(other.pieces.map(String), ["within"])
  assert.deepEqual(receiver.pieces.map(String), ["outer"])
  receiver.onPiece = (): void => {
    receiver.onPiece = null
    throw new Error("broken")
  }
  merger.add(Buffer.from("lost"), receiver)
  assert.throws(() => merger.flush(), /broken/)
  merger.add(Buffer.from("whole"), receiver)
  await endOfRead()
  assert.equal(String(receiver.pieces.at(-1)), "whole")
})

test("each connection gets its bytes in their order, however they come", async () => {
  const random = createRandom(chooseSeed("merged WebSocket messages"))
  const merger = new MessageMerger()
  const receivers = [new Receiver(), new Receiver(), new Receiver()]
  const sent = receivers.map(() => [] as Buffer[])
  for (let i = 0; i < 2000; i++) {
    const index = random.below(receivers.length)
    const size = random.below(random.chance(0.1) ? 200_000 : 300)
    const data = Buffer.alloc(size, i % 251)
    sent[index]!.push(data)
    merger.add(data, receivers[index]!)
    if (random.chance(0.15)) await endOfRead()
  }
  await endOfRead()
  for (const [index, receiver] of receivers.entries())
    assert.ok(Buffer.concat(receiver.pieces).equals(Buffer.concat(sent[index]!)))
})
