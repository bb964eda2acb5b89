import { loadAckFile } from "./ack-log.ts"
import { DELIVERIES_FILE, readDeliveries } from "./delivery-counts.ts"
import { StorageError } from "./disk.ts"
import type { Disk } from "./disk.ts"
import { readMeta } from "./meta-file.ts"
import { scanSegment } from "./segment-scan.ts"
import type { SegmentScan } from "./segment-scan.ts"
import { Segment, segmentNumber } from "./segment.ts"
import { LEVEL_PREFIX } from "./store-deletion.ts"
import { checkStream, FIRST_OFFSETS } from "./stream/check-stream.ts"

/**
 * Verifies the files of one store and changes nothing: every checksum, every count, every ack. Runs
 * at the end of every storage test and behind `store check`. The store may be open, but must have
 * ended its turn.
 */
export interface CheckProblem {
  readonly path: string
  readonly position: number
  readonly text: string
}

export class CheckReport {
  segmentCount = 0
  /** Messages that are not settled. */
  readyCount = 0
  readyBytes = 0
  /** Bytes of ranges that were damaged once and set aside. */
  holeBytes = 0
  /** Files that hold what was set aside. */
  corruptFileCount = 0
  /** What is wrong now. A crash leaves unfinished writes and orphaned acks until the next open(). */
  readonly problems: CheckProblem[] = []

  add(path: string, position: number, text: string): void {
    this.problems.push({ path, position, text })
  }
}

export function checkStore(disk: Disk, directory: string): CheckReport {
  const report = new CheckReport()
  checkDirectory(disk, directory, report)
  const deliveries = `${directory}/${DELIVERIES_FILE}`
  const counts = disk.readFile(deliveries)
  const bad = counts === null ? 0 : readDeliveries(counts, () => {})
  if (bad > 0) report.add(deliveries, 0, `${bad} bytes make no sense`)
  // A queue with priorities has a store for each.
  for (const name of disk.list(directory))
    if (name.startsWith(LEVEL_PREFIX)) checkDirectory(disk, `${directory}/${name}`, report)
  return report
}

function checkDirectory(disk: Disk, directory: string, report: CheckReport): void {
  const names = disk.list(directory)
  const numbers: number[] = []
  for (const name of names) {
    const number = segmentNumber("msgs", name)
    if (number > 0) numbers.push(number)
    else if (name.endsWith(".corrupt")) report.corruptFileCount++
    else checkCompanion(report, directory, names, name)
  }
  numbers.sort((left, right) => left - right)
  const counts = new Map<number, number>()
  for (const number of numbers) {
    const before = report.readyCount
    try {
      checkSegment(disk, new Segment(directory, number), report)
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      report.add(error.path, 0, `cannot be read: ${error.message}`)
    }
    counts.set(number, report.readyCount - before)
  }
  if (names.includes(FIRST_OFFSETS)) checkStream(disk, directory, counts, report)
}

function checkCompanion(
  report: CheckReport,
  directory: string,
  names: readonly string[],
  name: string,
): void {
  const number = segmentNumber("acks", name) || segmentNumber("meta", name)
  if (number > 0 && !names.includes(`msgs${name.slice(4)}`))
    report.add(`${directory}/${name}`, 0, "there is no segment for it")
}

function checkSegment(disk: Disk, segment: Segment, report: CheckReport): void {
  const fd = disk.open(segment.path, false)
  try {
    const size = disk.size(fd)
    const acks = loadAckFile(disk, segment.ackPath, segment.number, size)
    const scan = scanSegment(disk, fd, size, { settled: acks.ranges, cursor: 0 })
    report.segmentCount++
    report.readyCount += scan.readyCount
    report.readyBytes += scan.readyBytes
    report.holeBytes += scan.holeBytes
    checkBatches(segment, scan, report)
    const { ackPath } = segment
    if (acks.badEntryCount > 0) report.add(ackPath, 0, `${acks.badEntryCount} garbled entries`)
    if (acks.orphanCount > 0)
      report.add(ackPath, 0, `${acks.orphanCount} entries behind the end of the segment`)
    const isExact = acks.count === scan.settledCount && acks.bodyBytes === scan.settledBytes
    // A purge may settle again what was settled; messages lost in holes may have been settled.
    if (!isExact && !acks.overlaps && scan.holeBytes === 0)
      report.add(ackPath, 0, `${acks.count} messages settled, ${scan.settledCount} found`)
    checkMeta(disk, segment, size, scan, report)
    checkBorders(disk, fd, size, acks.ranges, segment, report)
  } finally {
    disk.close(fd)
  }
}

function checkBatches(segment: Segment, scan: SegmentScan, report: CheckReport): void {
  if (!scan.headerIsValid) report.add(segment.path, 0, "is no segment of this version")
  for (let i = 0; i < scan.badRanges.length; i += 2) {
    const start = scan.badRanges[i]!
    const end = scan.badRanges[i + 1]!
    const what = start < scan.soundEnd ? "damaged" : "an unfinished write"
    report.add(segment.path, start, `${end - start} bytes are ${what}`)
  }
}

function checkMeta(
  disk: Disk,
  segment: Segment,
  size: number,
  scan: SegmentScan,
  report: CheckReport,
): void {
  const bytes = disk.readFile(segment.metaPath)
  // Of another size: out of date, as that of a segment that has grown since.
  if (bytes === null || !readMeta(bytes, size, segment)) return
  const { messageCount, bodyBytes } = segment
  if (scan.holeBytes === 0 && (messageCount !== scan.messageCount || bodyBytes !== scan.bodyBytes))
    report.add(segment.metaPath, 0, `${messageCount} messages, ${scan.messageCount} found`)
}

/** Settled ranges must begin and end where messages do: what is found settled must be as long. */
function checkBorders(
  disk: Disk,
  fd: number,
  size: number,
  ranges: Uint32Array,
  segment: Segment,
  report: CheckReport,
): void {
  if (ranges.length === 0) return
  const borders = new Set<number>()
  const scan = scanSegment(disk, fd, size, { settled: ranges, cursor: 0, borders })
  if (scan.badRanges.length > 0 || scan.holeBytes > 0) return
  for (let i = 0; i < ranges.length; i++)
    if (!borders.has(ranges[i]!))
      report.add(segment.ackPath, ranges[i]!, "an entry begins or ends within a message")
}
