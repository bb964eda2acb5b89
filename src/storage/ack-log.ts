import type { Disk } from "./disk.ts"

/**
 * The ack file of a segment: which of its messages are settled. Append-only entries of fixed size,
 * each a range of neighbouring messages, all integers little-endian:
 *
 *   | start u32 | end u32 | messages u32 | bytes of body u32 | check u32 |
 *
 * A range settles every message that starts in [start, end). It never crosses the border of a batch,
 * except where a purge settles all that is left. Ack files are not synced: after power loss the tail
 * may be zeros or garbage, which the check (seeded with the number of the segment) tells apart, and
 * the messages are delivered again.
 */
export const ACK_ENTRY_SIZE = 20

export function ackCheck(
  segment: number,
  start: number,
  end: number,
  count: number,
  bodyBytes: number,
): number {
  let sum = Math.imul(segment ^ 0x5ac1e5, 0x9e3779b1)
  sum = Math.imul(sum ^ (sum >>> 15) ^ start, 0x85ebca6b)
  sum = Math.imul(sum ^ (sum >>> 13) ^ end, 0xc2b2ae35)
  sum = Math.imul(sum ^ (sum >>> 16) ^ count, 0x27d4eb2f)
  sum = Math.imul(sum ^ (sum >>> 15) ^ bodyBytes, 0x165667b1)
  return (sum ^ (sum >>> 16)) >>> 0
}

export function writeAckEntry(
  view: DataView,
  offset: number,
  segment: number,
  start: number,
  end: number,
  count: number,
  bodyBytes: number,
): void {
  view.setUint32(offset, start, true)
  view.setUint32(offset + 4, end, true)
  view.setUint32(offset + 8, count, true)
  view.setUint32(offset + 12, bodyBytes, true)
  view.setUint32(offset + 16, ackCheck(segment, start, end, count, bodyBytes >>> 0), true)
}

/** Sorted, disjoint ranges of positions: start, end, start, end, … */
export type AckRanges = Uint32Array

export const NO_ACKS: AckRanges = new Uint32Array(0)

/** What an ack file says, before it is compared with the segment. */
export class AckFile {
  ranges: AckRanges = NO_ACKS
  /** Sums of the entries as written. Wrong if `overlaps`. */
  count = 0
  bodyBytes = 0
  /** Ranges overlap: only a walk over the segment tells how many messages they cover. */
  overlaps = false
  /** Entries whose check does not fit: torn, zero or garbage. */
  badEntryCount = 0
  /** Entries that reach behind the end of the segment's data. */
  orphanCount = 0
  /** Where the next entry goes. */
  size = 0
}

/** Reads an ack file. Entries from `dataEnd` on are pruned. Throws StorageError if it cannot be read. */
export function loadAckFile(disk: Disk, path: string, segment: number, dataEnd: number): AckFile {
  const file = new AckFile()
  const bytes = disk.readFile(path)
  if (bytes === null) return file
  const entryCount = Math.floor(bytes.length / ACK_ENTRY_SIZE)
  if (bytes.length % ACK_ENTRY_SIZE > 0) file.badEntryCount++
  file.size = entryCount * ACK_ENTRY_SIZE
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const ranges = new Uint32Array(entryCount * 2)
  let used = 0
  let isSorted = true
  for (let i = 0; i < entryCount; i++) {
    const at = i * ACK_ENTRY_SIZE
    const start = view.getUint32(at, true)
    const end = view.getUint32(at + 4, true)
    if (!isSound(view, at, segment)) file.badEntryCount++
    else if (end > dataEnd) file.orphanCount++
    else {
      if (used > 0 && start < ranges[used - 1]!) isSorted = false
      ranges[used] = start
      ranges[used + 1] = end
      used += 2
      file.count += view.getUint32(at + 8, true)
      file.bodyBytes += view.getUint32(at + 12, true)
    }
  }
  file.ranges = mergeRanges(file, isSorted ? ranges.subarray(0, used) : sortRanges(ranges, used))
  return file
}

/**
 * Replaces an ack file by one without the entries that loadAckFile() ignored. In another file first,
 * so that a crash leaves the one or the other. Throws StorageError.
 */
export function pruneAckFile(disk: Disk, path: string, segment: number, dataEnd: number): number {
  const bytes = disk.readFile(path)
  if (bytes === null) return 0
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let size = 0
  for (let at = 0; at + ACK_ENTRY_SIZE <= bytes.length; at += ACK_ENTRY_SIZE) {
    const end = view.getUint32(at + 4, true)
    if (!isSound(view, at, segment) || end > dataEnd) continue
    bytes.copyWithin(size, at, at + ACK_ENTRY_SIZE)
    size += ACK_ENTRY_SIZE
  }
  const temporary = `${path}${PRUNED_SUFFIX}`
  disk.remove(temporary)
  const fd = disk.open(temporary, true)
  try {
    disk.write(fd, bytes, 0, size, 0)
  } finally {
    disk.close(fd)
  }
  disk.rename(temporary, path)
  return size
}

/** Of a file that pruneAckFile() did not finish. */
export const PRUNED_SUFFIX = ".pruned"

function isSound(view: DataView, at: number, segment: number): boolean {
  const start = view.getUint32(at, true)
  const end = view.getUint32(at + 4, true)
  const count = view.getUint32(at + 8, true)
  const check = ackCheck(segment, start, end, count, view.getUint32(at + 12, true))
  return view.getUint32(at + 16, true) === check && end > start
}

/** Sorts pairs by their start. Ranges are rarely out of order by much, but there may be 400,000. */
function sortRanges(ranges: Uint32Array, used: number): Uint32Array {
  const keys = new Float64Array(used / 2)
  for (let i = 0; i < keys.length; i++) {
    // Start and index in one double, so that the built-in numeric sort does the work: 32 + 20 bits.
    keys[i] = ranges[i * 2]! * 0x10_0000 + (i & 0xf_ffff)
  }
  if (keys.length > 0x10_0000) return sortManyRanges(ranges, used)
  keys.sort()
  const sorted = new Uint32Array(used)
  for (let i = 0; i < keys.length; i++) {
    const from = (keys[i]! % 0x10_0000) * 2
    sorted[i * 2] = ranges[from]!
    sorted[i * 2 + 1] = ranges[from + 1]!
  }
  return sorted
}

function sortManyRanges(ranges: Uint32Array, used: number): Uint32Array {
  const order = new Uint32Array(used / 2)
  for (let i = 0; i < order.length; i++) order[i] = i
  order.sort((left, right) => ranges[left * 2]! - ranges[right * 2]!)
  const sorted = new Uint32Array(used)
  for (let i = 0; i < order.length; i++) {
    sorted[i * 2] = ranges[order[i]! * 2]!
    sorted[i * 2 + 1] = ranges[order[i]! * 2 + 1]!
  }
  return sorted
}

/** Joins neighbours in place. Sets `overlaps` if two ranges share a position. */
function mergeRanges(file: AckFile, sorted: Uint32Array): AckRanges {
  if (sorted.length === 0) return NO_ACKS
  let used = 2
  for (let i = 2; i < sorted.length; i += 2) {
    const start = sorted[i]!
    const end = sorted[i + 1]!
    const last = sorted[used - 1]!
    if (start < last) file.overlaps = true
    if (start <= last) sorted[used - 1] = Math.max(last, end)
    else {
      sorted[used] = start
      sorted[used + 1] = end
      used += 2
    }
  }
  return sorted.slice(0, used)
}
