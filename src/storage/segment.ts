import { ACK_ENTRY_SIZE, writeAckEntry } from "./ack-log.ts"
import { SEGMENT_HEADER_SIZE } from "./record.ts"

/**
 * One segment of a store in memory: its counts, and the acks of this turn that its ack file does not
 * have yet. Knows the names of its files and touches none of them (message-store.ts, recovery.ts).
 */

/** Pending ranges are four numbers: start, end, messages, bytes of body. */
const STRIDE = 4
const PENDING_MIN = 64

export class Segment {
  readonly number: number
  readonly path: string
  readonly ackPath: string
  readonly metaPath: string
  /** Bytes in the file. 0: there is no file yet. */
  size = 0
  /** Messages and their body bytes in the file, and how many of them (or of the tail) are settled. */
  messageCount = 0
  bodyBytes = 0
  ackedCount = 0
  ackedBytes = 0
  firstTimestampMs = 0
  lastTimestampMs = 0
  /** No more messages go into it. */
  sealed = false
  /** Written by an earlier process and not read yet in this one: checksums and acks are to be looked at. */
  unverified = false
  /** A write failed half-way: the file may be longer than `size`. */
  torn = false
  /** The meta file on disk is that of the present size. */
  metaWritten = false
  /** There is a meta file, be it of an earlier size. */
  hasMetaFile = false
  /** Part of it could not be read: the file is kept beside the store when all else in it is settled. */
  keepFile = false
  /** Bytes in the ack file. 0: there is none. */
  ackFileSize = 0
  /** On the store's list of segments with pending acks. */
  acksDirty = false
  /** The range that the next ack will extend if it is its neighbour. Empty if the count is 0. */
  pendingStart = 0
  pendingEnd = 0
  pendingCount = 0
  pendingBytes = 0
  /** The ranges before it. */
  #ranges: Uint32Array | null = null
  #rangeCount = 0

  constructor(directory: string, number: number) {
    this.number = number
    const suffix = segmentSuffix(number)
    this.path = `${directory}/msgs.${suffix}`
    this.ackPath = `${directory}/acks.${suffix}`
    this.metaPath = `${directory}/meta.${suffix}`
  }

  /** Position of the next byte that goes into the file. */
  get end(): number {
    return this.size === 0 ? SEGMENT_HEADER_SIZE : this.size
  }

  get isFinished(): boolean {
    return this.sealed && this.ackedCount === this.messageCount
  }

  /** Begins a pending range, after a message that is no neighbour of the last settled one. */
  beginRange(start: number, end: number, count: number, bodyBytes: number): void {
    if (this.pendingCount > 0) this.#keepRange()
    this.pendingStart = start
    this.pendingEnd = end
    this.pendingCount = count
    this.pendingBytes = bodyBytes
  }

  get pendingRangeCount(): number {
    return this.#rangeCount + (this.pendingCount > 0 ? 1 : 0)
  }

  /** Writes pending ranges from `first` on as ack entries into the view; returns how many fitted. */
  encodePending(first: number, view: DataView): number {
    const total = this.pendingRangeCount
    const fitting = Math.min(total - first, Math.floor(view.byteLength / ACK_ENTRY_SIZE))
    for (let i = 0; i < fitting; i++) {
      const index = first + i
      const at = i * ACK_ENTRY_SIZE
      if (index === this.#rangeCount)
        writeAckEntry(
          view,
          at,
          this.number,
          this.pendingStart,
          this.pendingEnd,
          this.pendingCount,
          this.pendingBytes,
        )
      else this.#encodeRange(view, at, index)
    }
    return fitting
  }

  /** The pending acks are on disk, or their segment is gone. */
  clearPending(): void {
    this.pendingCount = 0
    this.#rangeCount = 0
    // Keeping the array spares an allocation per turn; keeping a large one costs memory.
    if (this.#ranges !== null && this.#ranges.length > PENDING_MIN * STRIDE) this.#ranges = null
  }

  /** Forgets pending acks from `position` on: their messages will never be written. */
  dropPendingFrom(position: number): void {
    if (this.pendingCount > 0 && this.pendingStart >= position) this.pendingCount = 0
    const ranges = this.#ranges
    if (ranges === null) return
    let kept = 0
    for (let i = 0; i < this.#rangeCount; i++) {
      if (ranges[i * STRIDE]! >= position) continue
      if (kept < i) ranges.copyWithin(kept * STRIDE, i * STRIDE, (i + 1) * STRIDE)
      kept++
    }
    this.#rangeCount = kept
  }

  #keepRange(): void {
    let ranges = this.#ranges
    const at = this.#rangeCount * STRIDE
    if (ranges === null || at === ranges.length) {
      const larger = new Uint32Array(ranges === null ? PENDING_MIN * STRIDE : ranges.length * 2)
      if (ranges !== null) larger.set(ranges)
      ranges = larger
      this.#ranges = ranges
    }
    ranges[at] = this.pendingStart
    ranges[at + 1] = this.pendingEnd
    ranges[at + 2] = this.pendingCount
    ranges[at + 3] = this.pendingBytes
    this.#rangeCount++
  }

  #encodeRange(view: DataView, at: number, index: number): void {
    const ranges = this.#ranges
    if (ranges === null) return
    const from = index * STRIDE
    writeAckEntry(
      view,
      at,
      this.number,
      ranges[from]!,
      ranges[from + 1]!,
      ranges[from + 2]!,
      ranges[from + 3]!,
    )
  }
}

export function segmentSuffix(number: number): string {
  return String(number).padStart(10, "0")
}

/** The number in `msgs.0000000012` for the prefix `msgs`, or 0 if the name is another one. */
export function segmentNumber(prefix: string, name: string): number {
  if (!name.startsWith(`${prefix}.`)) return 0
  const digits = name.slice(prefix.length + 1)
  return /^\d{10,}$/.test(digits) ? Number(digits) : 0
}

/** Index of the segment in the list, which is in ascending order, or -1. Numbers are nearly dense. */
export function findSegment(segments: readonly Segment[], number: number): number {
  const first = segments[0]
  if (first === undefined) return -1
  const guess = number - first.number
  if (guess >= 0 && guess < segments.length && segments[guess]!.number === number) return guess
  let low = 0
  let high = segments.length - 1
  while (low <= high) {
    const middle = (low + high) >> 1
    const found = segments[middle]!.number
    if (found === number) return middle
    if (found < number) low = middle + 1
    else high = middle - 1
  }
  return -1
}
