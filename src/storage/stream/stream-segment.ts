import type { Segment } from "../segment.ts"
import type { SegmentIndex } from "./segment-index.ts"
import type { StreamWindow } from "./stream-cache.ts"

/** One segment of a stream: its file, the offset with which it begins, and what is known of its inside. */
export class StreamSegment {
  readonly file: Segment
  /** Offset of its first message, be it that a damaged range stands there now. */
  readonly firstOffset: number
  /** Retention has removed it: its readers go on at the first one that is left. */
  isRemoved = false
  /** Messages in damaged ranges, by the position of the range; counted when a reader gets there. */
  lostAt: Map<number, number> | null = null
  /** Pieces of the file in memory, in no order. */
  readonly windows: StreamWindow[] = []
  index: SegmentIndex | null = null
  /** Reads that failed in a row, and when the next one may be tried. */
  failures = 0
  retryAtMs = 0
  /** Repairs that changed nothing: the rest of the file is not served. */
  repairs = 0
  isGivenUp = false

  constructor(file: Segment, firstOffset: number) {
    this.file = file
    this.firstOffset = firstOffset
  }
}

/** Index of the last segment that begins at or before the offset, or -1. */
export function findByOffset(segments: readonly StreamSegment[], offset: number): number {
  let low = 0
  let high = segments.length - 1
  while (low <= high) {
    const middle = (low + high) >> 1
    if (segments[middle]!.firstOffset <= offset) low = middle + 1
    else high = middle - 1
  }
  return high
}
