import { crc32 } from "node:zlib"

/**
 * The bytes of definitions.amqp:
 *
 *   | magic "SLDF" | version u32 | entry | entry | …           Our integers are little-endian.
 *   entry = | frame: type 1 u8 | channel 0 u16 | size u32 | payload | 0xCE | CRC-32 of the frame u32 |
 *           (the frame is AMQP, so its integers are big-endian)
 *
 * Entries carry no serial number: after a damaged one, the next that is whole is found by trying.
 */
export const DEFINITIONS_VERSION = 1
export const DEFINITIONS_HEADER_SIZE = 8

const MAGIC = Buffer.from("SLDF", "latin1")
const FRAME_HEADER_SIZE = 7
const FRAME_TYPE_METHOD = 1
const FRAME_END = 0xce
const CHECKSUM_SIZE = 4
/** Class and method id, without which a payload is no method. */
const PAYLOAD_SIZE_MIN = 4
const ENTRY_SIZE_MIN = FRAME_HEADER_SIZE + PAYLOAD_SIZE_MIN + 1 + CHECKSUM_SIZE

/** Methods that make earlier entries superfluous: exchange.delete and unbind, queue.delete and unbind. */
const DELETIONS: ReadonlySet<number> = new Set([0x28_0014, 0x28_0028, 0x32_0028, 0x32_0032])

export function definitionsHeader(): Buffer {
  const header = Buffer.alloc(DEFINITIONS_HEADER_SIZE)
  MAGIC.copy(header)
  header.writeUInt32LE(DEFINITIONS_VERSION, MAGIC.length)
  return header
}

/** The version, or 0 if there is no whole header. */
export function definitionsVersion(content: Buffer): number {
  const isOurs =
    content.length >= DEFINITIONS_HEADER_SIZE && content.subarray(0, MAGIC.length).equals(MAGIC)
  return isOurs ? content.readUInt32LE(MAGIC.length) : 0
}

export function entrySize(frame: Uint8Array): number {
  return frame.length + CHECKSUM_SIZE
}

/** Writes the entry at `at` and returns the end. The target must have room for entrySize(). */
export function writeEntry(target: Buffer, at: number, frame: Uint8Array): number {
  target.set(frame, at)
  return target.writeUInt32LE(crc32(frame), at + frame.length)
}

export function isDeletion(frame: Buffer): boolean {
  return DELETIONS.has(frame.readUInt32BE(FRAME_HEADER_SIZE))
}

/** What is where in the content of a log. */
export interface DefinitionsScan {
  readonly onFrame: (frame: Buffer) => void
  /** Bytes that are no whole entry, and behind which there is one. */
  readonly onGap: (start: number, end: number) => void
}

/** Reads from `start`. Returns the end of the last whole entry; what lies behind is torn. */
export function scanEntries(content: Buffer, start: number, scan: DefinitionsScan): number {
  let at = start
  for (;;) {
    let end = entryEnd(content, at)
    if (end === 0) {
      const next = findEntry(content, at)
      if (next < 0) return at
      scan.onGap(at, next)
      at = next
      end = entryEnd(content, at)
    }
    scan.onFrame(content.subarray(at, end - CHECKSUM_SIZE))
    at = end
  }
}

/** Offset of the first whole entry behind `at`, or -1. */
function findEntry(content: Buffer, at: number): number {
  let candidate = at
  for (;;) {
    candidate = content.indexOf(FRAME_TYPE_METHOD, candidate + 1)
    if (candidate < 0 || entryEnd(content, candidate) !== 0) return candidate
  }
}

/** End of the entry that begins at `at`, or 0 if no whole one does. */
function entryEnd(content: Buffer, at: number): number {
  if (at + ENTRY_SIZE_MIN > content.length) return 0
  if (content[at] !== FRAME_TYPE_METHOD || content.readUInt16BE(at + 1) !== 0) return 0
  const size = content.readUInt32BE(at + 3)
  const frameEnd = at + FRAME_HEADER_SIZE + size + 1
  if (size < PAYLOAD_SIZE_MIN || frameEnd + CHECKSUM_SIZE > content.length) return 0
  if (content[frameEnd - 1] !== FRAME_END) return 0
  if (crc32(content.subarray(at, frameEnd)) !== content.readUInt32LE(frameEnd)) return 0
  return frameEnd + CHECKSUM_SIZE
}
