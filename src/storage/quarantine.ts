import type { Disk } from "./disk.ts"
import { encodeHole, HOLE_SIZE_MIN } from "./record.ts"

/**
 * Sets damaged ranges of a segment aside: `msgs.NNN.<position>.corrupt` beside it holds the bytes,
 * for people; the segment itself gets a hole there, or ends there. In this order, so that a crash in
 * between does it again and loses nothing.
 */
const COPY_SIZE = 256 << 10

/** Copies [start, end) of the file. Bytes that are all zero are not worth a file. Throws StorageError. */
export function copyAside(disk: Disk, path: string, fd: number, start: number, end: number): void {
  const bytes = Buffer.allocUnsafeSlow(Math.min(COPY_SIZE, end - start))
  let target = -1
  try {
    for (let at = start; at < end; at += bytes.length) {
      const count = disk.read(fd, bytes, 0, Math.min(bytes.length, end - at), at)
      if (target < 0) {
        if (isZero(bytes, count)) continue
        target = disk.open(`${path}.${start}.corrupt`, true)
      }
      disk.write(target, bytes, 0, count, at - start)
    }
  } finally {
    if (target >= 0) disk.close(target)
  }
}

/** Copies the range aside and makes it a hole. False if it is too small for one. Throws StorageError. */
export function makeHole(
  disk: Disk,
  path: string,
  fd: number,
  start: number,
  end: number,
): boolean {
  if (end - start < HOLE_SIZE_MIN) return false
  copyAside(disk, path, fd, start, end)
  const hole = encodeHole(end - start)
  disk.write(fd, hole, 0, hole.length, start)
  return true
}

/** Copies what lies from `end` on aside and cuts it off. Throws StorageError. */
export function cutTail(disk: Disk, path: string, fd: number, end: number, size: number): void {
  copyAside(disk, path, fd, end, size)
  disk.truncate(fd, end)
}

function isZero(bytes: Buffer, count: number): boolean {
  for (let i = 0; i < count; i++) if (bytes[i] !== 0) return false
  return true
}
