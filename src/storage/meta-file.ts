import { crc32 } from "node:zlib"
import type { Segment } from "./segment.ts"
import type { StoreContext } from "./store-context.ts"

/**
 * The meta file of a segment: what a scan of it would count, so that a boot need not scan. Written
 * when a segment is sealed and when its store is closed; never synced. It belongs to one size of the
 * segment file, so one that is out of date shows by that. All integers little-endian:
 *
 *   | magic "SLUM" | version u32 | segment size u32 | messages u32 | body bytes f64
 *   | first timestamp ms f64 | last timestamp ms f64 | first stream offset f64 (0: none) | CRC-32 |
 */
const META_SIZE = 52
const META_MAGIC = 0x4d554c53
const META_VERSION = 1
const CHECKED_SIZE = 48

/** Throws StorageError. */
export function writeMetaFile(context: StoreContext, segment: Segment): void {
  const bytes = Buffer.alloc(META_SIZE)
  bytes.writeUInt32LE(META_MAGIC, 0)
  bytes.writeUInt32LE(META_VERSION, 4)
  bytes.writeUInt32LE(segment.size, 8)
  bytes.writeUInt32LE(segment.messageCount, 12)
  bytes.writeDoubleLE(segment.bodyBytes, 16)
  bytes.writeDoubleLE(segment.firstTimestampMs, 24)
  bytes.writeDoubleLE(segment.lastTimestampMs, 32)
  bytes.writeDoubleLE(0, 40)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, CHECKED_SIZE)), CHECKED_SIZE)
  const { disk } = context
  segment.hasMetaFile = true
  const fd = disk.open(segment.metaPath, true)
  try {
    disk.write(fd, bytes, 0, META_SIZE, 0)
  } finally {
    disk.close(fd)
  }
  segment.metaWritten = true
}

/** Fills in the counts. False if the bytes are no valid meta file for a segment file of this size. */
export function readMeta(bytes: Buffer, size: number, segment: Segment): boolean {
  if (bytes.length !== META_SIZE) return false
  if (bytes.readUInt32LE(0) !== META_MAGIC || bytes.readUInt32LE(4) !== META_VERSION) return false
  if (bytes.readUInt32LE(CHECKED_SIZE) !== crc32(bytes.subarray(0, CHECKED_SIZE))) return false
  if (bytes.readUInt32LE(8) !== size) return false
  segment.messageCount = bytes.readUInt32LE(12)
  segment.bodyBytes = bytes.readDoubleLE(16)
  segment.firstTimestampMs = bytes.readDoubleLE(24)
  segment.lastTimestampMs = bytes.readDoubleLE(32)
  return true
}
