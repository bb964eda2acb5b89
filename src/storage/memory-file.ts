/**
 * The content of one file of a MemoryDisk: blocks of 64 KiB. The last block grows by doubling, so
 * that a file of a few bytes does not cost a whole one.
 */
const BLOCK_SIZE = 64 << 10
const SMALLEST_BLOCK_SIZE = 64

export class MemoryFile {
  size = 0
  /** It has no name any more and lives only as long as it is open. */
  isUnlinked = false
  readonly #blocks: Buffer[] = []

  /** Returns how many bytes there were. */
  read(target: Buffer, targetOffset: number, length: number, position: number): number {
    const end = Math.min(this.size, position + length)
    let at = position
    while (at < end) {
      const block = this.#blocks[Math.floor(at / BLOCK_SIZE)]!
      const start = at % BLOCK_SIZE
      const count = Math.min(end - at, block.length - start)
      block.copy(target, targetOffset + at - position, start, start + count)
      at += count
    }
    return Math.max(0, end - position)
  }

  write(source: Buffer, sourceOffset: number, length: number, position: number): void {
    const end = position + length
    if (length > 0) this.#reserve(end)
    let at = position
    while (at < end) {
      const block = this.#blocks[Math.floor(at / BLOCK_SIZE)]!
      const start = at % BLOCK_SIZE
      const count = Math.min(end - at, BLOCK_SIZE - start)
      const from = sourceOffset + at - position
      source.copy(block, start, from, from + count)
      at += count
    }
    if (length > 0 && end > this.size) this.size = end
  }

  truncate(size: number): void {
    if (size > this.size) this.#reserve(size)
    else {
      this.#blocks.length = Math.ceil(size / BLOCK_SIZE)
      const rest = size % BLOCK_SIZE
      // What is written behind a gap later must find zeros in the gap.
      if (rest > 0) this.#blocks[this.#blocks.length - 1]!.fill(0, rest)
    }
    this.size = size
  }

  /** Makes all blocks up to `end`. New bytes are zero. */
  #reserve(end: number): void {
    const blocks = this.#blocks
    const count = Math.ceil(end / BLOCK_SIZE)
    const lastSize = end - (count - 1) * BLOCK_SIZE
    for (let i = Math.max(0, blocks.length - 1); i < count; i++) {
      const needed = i === count - 1 ? lastSize : BLOCK_SIZE
      const old = blocks[i]
      if (old !== undefined && old.length >= needed) continue
      const block = Buffer.alloc(blockSize(needed, count > 1))
      old?.copy(block)
      blocks[i] = block
    }
  }
}

function blockSize(needed: number, isLongFile: boolean): number {
  if (isLongFile) return BLOCK_SIZE
  let size = SMALLEST_BLOCK_SIZE
  while (size < needed) size *= 2
  return size
}
