import type { StreamSegment } from "./stream-segment.ts"

/** How much of a stream is kept. Whole segments go, the oldest first; null is no limit. */
export interface Retention {
  readonly maxLength: number | null
  readonly maxBytes: number | null
  readonly maxAgeMs: number | null
}

export const NO_RETENTION: Retention = { maxLength: null, maxBytes: null, maxAgeMs: null }

/**
 * How many segments at the beginning are to go. The last one stays, however large it is; only age
 * removes it, once it takes no more messages (`isLastSealed`).
 */
export function removableCount(
  segments: readonly StreamSegment[],
  retention: Retention,
  isLastSealed: boolean,
  nowMs: number,
): number {
  const { maxLength, maxBytes, maxAgeMs } = retention
  if (maxLength === null && maxBytes === null && maxAgeMs === null) return 0
  let count = 0
  let bytes = 0
  for (const { file } of segments) {
    count += file.messageCount
    bytes += file.size
  }
  const candidates = segments.length - (isLastSealed ? 0 : 1)
  for (let i = 0; i < candidates; i++) {
    const { file } = segments[i]!
    const isLast = i === segments.length - 1
    const isTooMuch =
      !isLast &&
      ((maxLength !== null && count > maxLength) || (maxBytes !== null && bytes > maxBytes))
    const isTooOld = maxAgeMs !== null && file.lastTimestampMs + maxAgeMs < nowMs
    if (!isTooMuch && !isTooOld) return i
    count -= file.messageCount
    bytes -= file.size
  }
  return Math.max(candidates, 0)
}
