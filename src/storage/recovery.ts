import { loadAckFile, NO_ACKS, PRUNED_SUFFIX, pruneAckFile } from "./ack-log.ts"
import type { AckFile } from "./ack-log.ts"
import { StorageError } from "./disk.ts"
import { readMeta, writeMetaFile } from "./meta-file.ts"
import { copyAside, cutTail, makeHole } from "./quarantine.ts"
import { SEGMENT_HEADER_SIZE, SEGMENT_MAGIC, SEGMENT_VERSION } from "./record.ts"
import { scanSegment } from "./segment-scan.ts"
import type { SegmentScan } from "./segment-scan.ts"
import { Segment, segmentNumber } from "./segment.ts"
import type { StoreContext } from "./store-context.ts"
import type { StoreDirectory } from "./store-directory.ts"

/**
 * Brings a store back from its files. Two steps, so that a boot does not read the backlog:
 *
 *   recoverSegments  at boot: counts, from meta and ack files; only a segment without a valid meta
 *                    file (after a crash: the last one) is scanned
 *   verifySegment    when a reader gets to the segment: checksums, and which messages are settled
 *
 * What may be found, and what is done:
 *
 *   msgs without meta, or meta of another size   scanned, meta written again
 *   bytes behind the last sound batch            the crash cut a write short: set aside, cut off
 *   bad batches before a sound one               set aside, made a hole; the rest is served
 *   broken segment header                        repaired if a batch is sound, else set aside
 *   acks behind the end of the data              power loss kept the acks and not the messages: they
 *                                                are removed, and the segment takes no more messages,
 *                                                whose positions they would settle
 *   overlapping acks                             counted by a scan
 *   torn or garbled ack entries                  removed: those messages are delivered again
 *   acks or meta without msgs                    removed
 *   a file that the disk does not give           left alone and logged; the others are served
 */
export class RecoveryReport {
  segmentCount = 0
  scannedCount = 0
  /** Ready messages and the bytes of their bodies. */
  messageCount = 0
  bodyBytes = 0
  /** Bytes set aside, that were no sound batch between or before sound ones. */
  quarantinedBytes = 0
  /** Bytes behind the last sound batch, as a crash leaves them. */
  tornBytes = 0
  /** Segments that could not be read. */
  unreadableCount = 0
  /** The highest number of a segment that is or was there. */
  highestNumber = 0
}

/** What verifySegment() found out. */
export interface VerifiedSegment {
  /** Ranges that a reader skips. */
  readonly skips: Uint32Array
  /** From the cursor on. */
  readonly readyCount: number
  readonly readyBytes: number
}

/** Fills `segments`, in order. The last one is not sealed if it may grow further. */
export function recoverSegments(
  context: StoreContext,
  directory: StoreDirectory,
  queueName: string,
  segments: Segment[],
  report: RecoveryReport,
): void {
  const names = listNames(context, directory, queueName, report)
  directory.adopt(names)
  const present = new Set(names)
  const numbers: number[] = []
  for (const name of names) {
    const number = segmentNumber("msgs", name)
    if (number > 0) numbers.push(number)
    else removeOrphan(context, directory, present, name)
    const [, digits] = /^(?:msgs|acks|meta)\.(\d{10,})/.exec(name) ?? []
    report.highestNumber = Math.max(report.highestNumber, Number(digits ?? 0))
  }
  numbers.sort((left, right) => left - right)
  for (const number of numbers) {
    const segment = new Segment(directory.path, number)
    segment.hasMetaFile = present.has(metaName(segment))
    try {
      if (recoverSegment(context, queueName, segment, report)) segments.push(segment)
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      report.unreadableCount++
      const { path, code } = error
      context.log.error({ queue: queueName, path, code, err: error }, "a segment cannot be read")
    }
  }
  sealAllButLast(context, segments)
  report.segmentCount = segments.length
  for (const segment of segments) {
    report.messageCount += segment.messageCount - segment.ackedCount
    report.bodyBytes += segment.bodyBytes - segment.ackedBytes
  }
}

function listNames(
  context: StoreContext,
  directory: StoreDirectory,
  queueName: string,
  report: RecoveryReport,
): string[] {
  try {
    return context.disk.list(directory.path)
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    report.unreadableCount++
    const { path, code } = error
    context.log.error({ queue: queueName, path, code, err: error }, "a store cannot be read")
    return []
  }
}

function metaName(segment: Segment): string {
  return segment.metaPath.slice(segment.metaPath.lastIndexOf("/") + 1)
}

function removeOrphan(
  context: StoreContext,
  directory: StoreDirectory,
  present: ReadonlySet<string>,
  name: string,
): void {
  const number = segmentNumber("acks", name) || segmentNumber("meta", name)
  const isOrphan = number > 0 && !present.has(`msgs${name.slice(4)}`)
  if (!isOrphan && !name.endsWith(PRUNED_SUFFIX)) return
  try {
    context.disk.remove(`${directory.path}/${name}`)
  } catch (error) {
    if (!(error instanceof StorageError)) throw error // It does no harm where it is.
  }
}

function sealAllButLast(context: StoreContext, segments: readonly Segment[]): void {
  for (let i = 0; i < segments.length; i++) {
    const segment = segments[i]!
    if (i < segments.length - 1 || segment.size >= context.segmentSizeBytes) segment.sealed = true
    if (!segment.sealed || segment.metaWritten) continue
    try {
      writeMetaFile(context, segment)
    } catch (error) {
      if (!(error instanceof StorageError)) throw error // The next boot scans it again.
    }
  }
}

/** False if nothing of it is left to serve. */
function recoverSegment(
  context: StoreContext,
  queueName: string,
  segment: Segment,
  report: RecoveryReport,
): boolean {
  const { disk } = context
  const fd = disk.open(segment.path, false)
  try {
    segment.size = disk.size(fd)
    segment.unverified = true
    const meta = segment.hasMetaFile ? disk.readFile(segment.metaPath) : null
    segment.metaWritten = meta !== null && readMeta(meta, segment.size, segment)
    const scan = segment.metaWritten ? null : rescan(context, queueName, segment, fd, report)
    if (scan !== null && scan.messageCount === 0) {
      removeFiles(context, segment)
      return false
    }
    const isDamaged = scan !== null && scan.badRanges.length + scan.holeBytes > 0
    recoverAcks(context, queueName, segment, fd, isDamaged)
  } finally {
    disk.close(fd)
  }
  if (segment.ackedCount < segment.messageCount) return true
  removeFiles(context, segment)
  return false
}

/** Counts by reading, and cuts a torn end off. */
function rescan(
  context: StoreContext,
  queueName: string,
  segment: Segment,
  fd: number,
  report: RecoveryReport,
): SegmentScan {
  const { disk, log } = context
  const { path, size } = segment
  const scan = scanSegment(disk, fd, size, { settled: NO_ACKS, cursor: 0 })
  report.scannedCount++
  segment.messageCount = scan.messageCount
  segment.bodyBytes = scan.bodyBytes
  segment.firstTimestampMs = scan.firstTimestampMs
  segment.lastTimestampMs = scan.lastTimestampMs
  if (scan.messageCount === 0) {
    if (size > 0) copyAside(disk, path, fd, 0, size)
    log.warn(
      { queue: queueName, path, bytes: size },
      "a segment without a whole message was removed",
    )
    report.tornBytes += size
    return scan
  }
  if (!scan.headerIsValid) repairHeader(context, queueName, segment, fd)
  report.quarantinedBytes += setAside(context, queueName, segment, fd, scan)
  if (scan.soundEnd < size) {
    const fields = { queue: queueName, path, bytes: size - scan.soundEnd }
    try {
      cutTail(disk, path, fd, scan.soundEnd, size)
      log.warn(fields, "an unfinished write was cut off")
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      // A full disk leaves unfinished writes, and has no room for copies. The next boot tries again.
      log.error(
        { ...fields, err: error },
        "an unfinished write is ignored, but could not be cut off",
      )
    }
    report.tornBytes += fields.bytes
    segment.size = scan.soundEnd
    segment.sealed = true
  }
  return scan
}

/** Makes holes of the bad ranges before the sound end; returns their bytes. */
function setAside(
  context: StoreContext,
  queueName: string,
  segment: Segment,
  fd: number,
  scan: SegmentScan,
): number {
  const { disk, log } = context
  let bytes = 0
  for (let i = 0; i < scan.badRanges.length; i += 2) {
    const position = scan.badRanges[i]!
    const end = scan.badRanges[i + 1]!
    if (position >= scan.soundEnd) break
    bytes += end - position
    const fields = { queue: queueName, path: segment.path, position, bytes: end - position }
    try {
      makeHole(disk, segment.path, fd, position, end)
      log.error(fields, "a damaged range was set aside")
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      log.error({ ...fields, err: error }, "a damaged range is skipped, but could not be set aside")
    }
  }
  return bytes
}

function repairHeader(
  context: StoreContext,
  queueName: string,
  segment: Segment,
  fd: number,
): void {
  const header = Buffer.alloc(SEGMENT_HEADER_SIZE)
  header.writeUInt32LE(SEGMENT_MAGIC, 0)
  header.writeUInt32LE(SEGMENT_VERSION, 4)
  context.disk.write(fd, header, 0, header.length, 0)
  context.log.error({ queue: queueName, path: segment.path }, "a segment's header was repaired")
}

function recoverAcks(
  context: StoreContext,
  queueName: string,
  segment: Segment,
  fd: number,
  isDamaged: boolean,
): void {
  const acks = loadAckFile(context.disk, segment.ackPath, segment.number, segment.size)
  segment.ackFileSize = acks.size
  segment.ackedCount = acks.count
  segment.ackedBytes = acks.bodyBytes
  if (acks.badEntryCount + acks.orphanCount > 0) pruneAcks(context, queueName, segment, acks)
  if (!isDamaged && !acks.overlaps && acks.count <= segment.messageCount) return
  const options = { settled: acks.ranges, cursor: 0 }
  const scan = scanSegment(context.disk, fd, segment.size, options)
  // Settled messages that are in no sound batch any more count on both sides, so that the sums of the
  // ack file stay right. Where its entries overlap, its sums mean nothing.
  const lostCount = acks.overlaps ? 0 : acks.count - scan.settledCount
  const lostBytes = acks.overlaps ? 0 : acks.bodyBytes - scan.settledBytes
  segment.messageCount = scan.messageCount + lostCount
  segment.bodyBytes = scan.bodyBytes + lostBytes
  segment.ackedCount = scan.settledCount + lostCount
  segment.ackedBytes = scan.settledBytes + lostBytes
  segment.metaWritten = false
}

function pruneAcks(
  context: StoreContext,
  queueName: string,
  segment: Segment,
  acks: AckFile,
): void {
  const { disk, log } = context
  const { badEntryCount, orphanCount } = acks
  const fields = { queue: queueName, path: segment.ackPath, badEntryCount, orphanCount }
  log.warn(fields, "ack entries that a crash left behind are ignored")
  // Even if they cannot be removed, or come back: no message gets their positions.
  if (orphanCount > 0) segment.sealed = true
  try {
    segment.ackFileSize = pruneAckFile(disk, segment.ackPath, segment.number, segment.size)
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    log.warn({ ...fields, err: error }, "the ack file could not be replaced")
  }
}

/** The messages first: removeSegmentFiles() says why. */
function removeFiles(context: StoreContext, segment: Segment): void {
  const { disk } = context
  disk.remove(segment.path)
  disk.remove(segment.ackPath)
  disk.remove(segment.metaPath)
}

/** Checks the file of a segment, sets bad ranges aside, and tells what is ready from the cursor on. */
export function verifySegment(
  context: StoreContext,
  queueName: string,
  segment: Segment,
  cursor: number,
): VerifiedSegment {
  const { disk } = context
  const fd = context.openFiles.acquire(segment.path, false)
  const acks = loadAckFile(disk, segment.ackPath, segment.number, segment.size)
  const scan = scanSegment(disk, fd, segment.size, { settled: acks.ranges, cursor })
  if (!scan.headerIsValid) repairHeader(context, queueName, segment, fd)
  if (scan.badRanges.length > 0) {
    // Also at the end: the size stays, so that the positions of what was appended since stay valid.
    scan.soundEnd = segment.size
    setAside(context, queueName, segment, fd, scan)
  }
  const { readyCount, readyBytes } = scan
  return { skips: Uint32Array.from(scan.skips), readyCount, readyBytes }
}
