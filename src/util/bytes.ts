/**
 * A block of memory with the two views that the data plane needs, and the copy between two blocks.
 *
 * `bytes` serves bulk copies and the socket or disk border, `view` serves integers (a DataView read
 * costs 0.4 ns, a Buffer method up to 4). Offsets travel as plain numbers; a sub-view is made only
 * at the border, because each costs about 100 bytes of heap.
 */
export class Chunk {
  readonly bytes: Buffer
  readonly view: DataView

  constructor(bytes: Buffer) {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  static allocate(size: number): Chunk {
    return new Chunk(Buffer.allocUnsafeSlow(size))
  }
}

/** From this size on the native copy wins over eight-byte moves (bench/micro/copy.bench.ts). */
const NATIVE_COPY_MIN = 192

/** Copies `size` bytes. The ranges must not overlap. Allocates nothing. */
export function copyBytes(
  source: Chunk,
  sourceOffset: number,
  target: Chunk,
  targetOffset: number,
  size: number,
): void {
  if (size >= NATIVE_COPY_MIN) {
    source.bytes.copy(target.bytes, targetOffset, sourceOffset, sourceOffset + size)
    return
  }
  const from = source.view
  const to = target.view
  if (size >= 8) {
    // The last eight bytes are moved on their own and may overlap the ones before: no byte loop.
    const last = size - 8
    for (let i = 0; i < last; i += 8)
      to.setBigUint64(targetOffset + i, from.getBigUint64(sourceOffset + i, true), true)
    to.setBigUint64(targetOffset + last, from.getBigUint64(sourceOffset + last, true), true)
    return
  }
  if (size >= 4) {
    to.setUint32(targetOffset, from.getUint32(sourceOffset, true), true)
    const last = size - 4
    to.setUint32(targetOffset + last, from.getUint32(sourceOffset + last, true), true)
    return
  }
  for (let i = 0; i < size; i++) to.setUint8(targetOffset + i, from.getUint8(sourceOffset + i))
}

/** True when the two ranges hold the same bytes. */
export function equalBytes(
  left: Chunk,
  leftOffset: number,
  right: Chunk,
  rightOffset: number,
  size: number,
): boolean {
  const a = left.view
  const b = right.view
  if (size < 4) {
    for (let i = 0; i < size; i++)
      if (a.getUint8(leftOffset + i) !== b.getUint8(rightOffset + i)) return false
    return true
  }
  // From the end: names of one application differ there, and the last word may overlap the next.
  if (size >= 8) {
    // Signed: comparing these makes no BigInt objects (bench/micro/bytes.bench.ts).
    const last = size - 8
    if (a.getBigInt64(leftOffset + last, true) !== b.getBigInt64(rightOffset + last, true))
      return false
    for (let i = 0; i < last; i += 8)
      if (a.getBigInt64(leftOffset + i, true) !== b.getBigInt64(rightOffset + i, true)) return false
    return true
  }
  const last = size - 4
  return (
    a.getUint32(leftOffset + last, true) === b.getUint32(rightOffset + last, true) &&
    a.getUint32(leftOffset, true) === b.getUint32(rightOffset, true)
  )
}
