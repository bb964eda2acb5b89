/** Damages a session: bytes flipped, cut, doubled, swapped, lengths overwritten, garbage inserted. */
import type { Random } from "../support/seed.ts"

/** Numbers at which length checks go wrong. */
const INTERESTING = [
  0,
  1,
  7,
  8,
  127,
  128,
  255,
  256,
  4096,
  65_535,
  65_536,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
]

type Mutation = (pieces: Buffer[], random: Random) => void

const MUTATIONS: readonly Mutation[] = [
  function flipBit(pieces, random) {
    const piece = random.pick(pieces)
    if (piece.length > 0) piece[random.below(piece.length)]! ^= 1 << random.below(8)
  },
  function setByte(pieces, random) {
    const piece = random.pick(pieces)
    if (piece.length > 0) piece[random.below(piece.length)] = random.below(256)
  },
  function overwriteInteger(pieces, random) {
    const piece = random.pick(pieces)
    if (piece.length >= 4)
      piece.writeUInt32BE(random.pick(INTERESTING), random.below(piece.length - 3))
  },
  function overwriteFrameSize(pieces, random) {
    const piece = random.pick(pieces)
    if (piece.length >= 7) piece.writeUInt32BE(random.pick(INTERESTING), 3)
  },
  function overwriteChannel(pieces, random) {
    const piece = random.pick(pieces)
    if (piece.length >= 3) piece.writeUInt16BE(random.pick([0, 1, 2, 3, 100, 101, 65_535]), 1)
  },
  function overwriteMethod(pieces, random) {
    const piece = random.pick(pieces)
    if (piece.length < 11) return
    piece.writeUInt16BE(random.pick([10, 20, 30, 40, 50, 60, 85, 90, random.below(65_536)]), 7)
    piece.writeUInt16BE(
      random.pick([10, 11, 20, 21, 30, 40, 41, 50, 60, 80, 120, random.below(65_536)]),
      9,
    )
  },
  function truncate(pieces, random) {
    const index = random.below(pieces.length)
    const piece = pieces[index]!
    pieces[index] = piece.subarray(0, random.below(piece.length + 1))
  },
  function dropPiece(pieces, random) {
    if (pieces.length > 1) pieces.splice(random.below(pieces.length), 1)
  },
  function doublePiece(pieces, random) {
    const index = random.below(pieces.length)
    pieces.splice(index, 0, Buffer.from(pieces[index]!))
  },
  function swapPieces(pieces, random) {
    const a = random.below(pieces.length)
    const b = random.below(pieces.length)
    const kept = pieces[a]!
    pieces[a] = pieces[b]!
    pieces[b] = kept
  },
  function insertGarbage(pieces, random) {
    pieces.splice(random.below(pieces.length + 1), 0, random.bytes(random.below(200)))
  },
  function insertFrame(pieces, random) {
    pieces.splice(random.below(pieces.length + 1), 0, randomFrame(random))
  },
]

/** A damaged copy. Half of the sessions get one mutation, the others several. */
export function mutate(session: readonly Buffer[], random: Random): Buffer[] {
  const pieces = session.map((piece) => Buffer.from(piece))
  const count = random.chance(0.5) ? 1 : 1 + random.below(6)
  for (let i = 0; i < count; i++) random.pick(MUTATIONS)(pieces, random)
  return pieces
}

/** A frame whose border is right and whose content is chance. */
export function randomFrame(random: Random): Buffer {
  const payload = random.bytes(random.below(random.chance(0.1) ? 9000 : 60))
  const frame = Buffer.alloc(payload.length + 8)
  frame[0] = random.pick([1, 1, 1, 2, 3, 8, random.below(256)])
  frame.writeUInt16BE(random.pick([0, 1, 1, 2, random.below(65_536)]), 1)
  frame.writeUInt32BE(payload.length, 3)
  payload.copy(frame, 7)
  frame[frame.length - 1] = random.chance(0.95) ? 0xce : random.below(256)
  return frame
}
