import { crc32 } from "node:zlib"
import { BUFFER_SIZE_MAX } from "../util/buffer-pool.ts"
import { Chunk } from "../util/bytes.ts"
import type { AckRanges } from "./ack-log.ts"
import type { Disk } from "./disk.ts"
import {
  HOLE_SIZE_MIN,
  holeSize,
  isRecordWord,
  isSegmentHeader,
  isTrailerWord,
  readTimestampMs,
  recordBodySize,
  RECORD_SIZE_MIN,
  SEGMENT_HEADER_SIZE,
  TRAILER_MARK,
  TRAILER_SIZE,
  trailerMatches,
} from "./record.ts"

/**
 * Reads a whole segment file and says what of it is sound: every batch whose trailer fits. Changes
 * nothing. Used when a segment has no valid meta file, when it is first read after a boot, and by
 * the check of a store.
 *
 * Where a batch does not fit, the next sound one is searched by its trailer: the bytes before it are
 * a bad range. A bad range at the end of the file is a write that a crash cut short, or worse.
 */
const SCAN_SIZE = BUFFER_SIZE_MAX

/** Bytes of a record in which its route ends for sure. */
const RECORD_HEAD_MAX = 16 + 256 + 256

/** A search through garbage checks at most this many bytes per byte of file, whatever it is made of. */
const SEARCH_FACTOR = 16

export interface ScanOptions {
  /** Sorted and disjoint. */
  readonly settled: AckRanges
  /** Messages before it are not counted as ready. */
  readonly cursor: number
  /** Gets the start and end of every message and of every batch. */
  readonly borders?: Set<number>
}

export class SegmentScan {
  headerIsValid = false
  messageCount = 0
  bodyBytes = 0
  firstTimestampMs = 0
  lastTimestampMs = 0
  settledCount = 0
  settledBytes = 0
  /** Not settled, from the cursor on. */
  readyCount = 0
  readyBytes = 0
  batchCount = 0
  /** Pairs of start and end, in order. */
  readonly badRanges: number[] = []
  /** Holes found: ranges that were bad before. */
  holeBytes = 0
  /** What a reader skips: settled messages and bad ranges, on the borders of messages, in order. */
  readonly skips: number[] = []
  /** End of the last sound batch or hole. */
  soundEnd = SEGMENT_HEADER_SIZE
}

/** Throws StorageError if the file cannot be read. */
export function scanSegment(
  disk: Disk,
  fd: number,
  size: number,
  options: ScanOptions,
): SegmentScan {
  return new Scanner(disk, fd, size, options).run()
}

class Scanner {
  readonly #disk: Disk
  readonly #fd: number
  readonly #size: number
  readonly #options: ScanOptions
  readonly #result = new SegmentScan()
  readonly #chunk: Chunk
  #start = 0
  #end = 0
  #settledIndex = 0
  /** The batch at hand. */
  #batch = 0
  #count = 0
  #bodyBytes = 0
  #settledCount = 0
  #settledBytes = 0
  #readyCount = 0
  #readyBytes = 0
  #firstTimestampMs = 0
  #lastTimestampMs = 0
  #skipsAtStart = 0
  #lastSkipEnd = 0

  constructor(disk: Disk, fd: number, size: number, options: ScanOptions) {
    this.#disk = disk
    this.#fd = fd
    this.#size = size
    this.#options = options
    this.#chunk = Chunk.allocate(Math.min(SCAN_SIZE, Math.max(size, 64)))
  }

  run(): SegmentScan {
    const result = this.#result
    if (this.#size < SEGMENT_HEADER_SIZE) return result
    this.#see(0, SEGMENT_HEADER_SIZE)
    result.headerIsValid = isSegmentHeader(this.#chunk.bytes.subarray(0, SEGMENT_HEADER_SIZE))
    let position = SEGMENT_HEADER_SIZE
    while (position < this.#size) {
      this.#batch = position
      const hole = this.#holeAt(position)
      if (hole > 0) {
        result.holeBytes += hole
        position += hole
        result.soundEnd = position
        continue
      }
      const end = this.#batchAt(position)
      if (end > 0) {
        this.#options.borders?.add(end)
        this.#keepBatch()
        position = end
        result.soundEnd = end
        continue
      }
      const next = this.#searchBatch(position)
      this.#markBad(position, next)
      position = next
    }
    return result
  }

  /** Makes the chunk hold [position, position + need). False if the file ends before. */
  #see(position: number, need: number): boolean {
    if (position >= this.#start && position + need <= this.#end) return true
    if (position + need > this.#size) return false
    const { bytes } = this.#chunk
    // From the beginning of the batch, if that fits: then its checksum needs no second read.
    const fitsWithBatch = position >= this.#batch && position + need - this.#batch <= bytes.length
    const start = fitsWithBatch ? this.#batch : position
    const length = Math.min(bytes.length, this.#size - start)
    const count = this.#disk.read(this.#fd, bytes, 0, length, start)
    this.#start = start
    this.#end = start + count
    return position + need <= this.#end
  }

  #holeAt(position: number): number {
    if (!this.#see(position, HOLE_SIZE_MIN)) return 0
    const { view } = this.#chunk
    const at = position - this.#start
    const size = holeSize(view.getInt32(at, true), view.getUint32(at + 4, true))
    return position + size <= this.#size ? size : 0
  }

  /** Walks and checks the batch; returns its end, or 0 if it is not sound. */
  #batchAt(position: number): number {
    this.#beginBatch()
    let at = position
    for (;;) {
      if (!this.#see(at, TRAILER_SIZE)) break
      const word = this.#chunk.view.getInt32(at - this.#start, true)
      if (isTrailerWord(word)) {
        if (this.#count > 0 && this.#trailerFits(position, at)) return at + TRAILER_SIZE
        break
      }
      if (!isRecordWord(word) || at + word > this.#size || !this.#record(at, word)) break
      at += word
    }
    this.#result.skips.length = this.#skipsAtStart
    return 0
  }

  #beginBatch(): void {
    this.#count = 0
    this.#bodyBytes = 0
    this.#settledCount = 0
    this.#settledBytes = 0
    this.#readyCount = 0
    this.#readyBytes = 0
    this.#skipsAtStart = this.#result.skips.length
    this.#lastSkipEnd = -1
  }

  #record(at: number, size: number): boolean {
    if (!this.#see(at, Math.min(size, RECORD_HEAD_MAX))) return false
    const offset = at - this.#start
    const bodySize = recordBodySize(this.#chunk, offset, size)
    if (bodySize < 0) return false
    this.#options.borders?.add(at).add(at + size)
    this.#count++
    this.#bodyBytes += bodySize
    this.#lastTimestampMs = readTimestampMs(this.#chunk.view, offset)
    if (this.#count === 1) this.#firstTimestampMs = this.#lastTimestampMs
    if (this.#isSettled(at)) {
      this.#settledCount++
      this.#settledBytes += bodySize
      this.#skip(at, at + size)
    } else if (at >= this.#options.cursor) {
      this.#readyCount++
      this.#readyBytes += bodySize
    }
    return true
  }

  /** Positions come in ascending order, but a batch may be walked again after a search. */
  #isSettled(position: number): boolean {
    const { settled } = this.#options
    while (this.#settledIndex > 0 && settled[this.#settledIndex - 1]! > position)
      this.#settledIndex -= 2
    while (this.#settledIndex < settled.length && settled[this.#settledIndex + 1]! <= position)
      this.#settledIndex += 2
    return this.#settledIndex < settled.length && settled[this.#settledIndex]! <= position
  }

  #skip(start: number, end: number): void {
    const { skips } = this.#result
    if (start === this.#lastSkipEnd) skips[skips.length - 1] = end
    else skips.push(start, end)
    this.#lastSkipEnd = end
  }

  #keepBatch(): void {
    const result = this.#result
    if (result.messageCount === 0) result.firstTimestampMs = this.#firstTimestampMs
    result.lastTimestampMs = this.#lastTimestampMs
    result.messageCount += this.#count
    result.bodyBytes += this.#bodyBytes
    result.settledCount += this.#settledCount
    result.settledBytes += this.#settledBytes
    result.readyCount += this.#readyCount
    result.readyBytes += this.#readyBytes
    result.batchCount++
  }

  #markBad(start: number, end: number): void {
    this.#result.badRanges.push(start, end)
    this.#result.skips.push(start, end)
  }

  #trailerFits(position: number, trailer: number): boolean {
    let sum = 0
    let at = position
    while (at < trailer) {
      if (!this.#see(at, 1)) return false
      const from = at - this.#start
      const to = Math.min(this.#end, trailer) - this.#start
      sum = crc32(this.#chunk.bytes.subarray(from, to), sum)
      at = this.#start + to
    }
    if (!this.#see(trailer, TRAILER_SIZE)) return false
    return trailerMatches(this.#chunk, trailer - this.#start, position, this.#count, sum)
  }

  /** Where the next batch begins whose checksum fits, or the end of the file. Rare: reads the rest at once. */
  #searchBatch(bad: number): number {
    const rest = Buffer.allocUnsafeSlow(this.#size - bad)
    const length = this.#disk.read(this.#fd, rest, 0, rest.length, bad)
    let budget = length * SEARCH_FACTOR
    let at = rest.indexOf(TRAILER_MARK, RECORD_SIZE_MIN)
    while (at >= 0 && at + TRAILER_SIZE <= length && budget > 0) {
      const start = rest.readUInt32LE(at + 4) - bad
      const count = rest.readUInt32LE(at + 8)
      if (start > 0 && count > 0 && start + count * RECORD_SIZE_MIN <= at) {
        budget -= at - start
        if (crc32(rest.subarray(start, at + 12)) === rest.readUInt32LE(at + 12)) return bad + start
      }
      at = rest.indexOf(TRAILER_MARK, at + 1)
    }
    return this.#size
  }
}
