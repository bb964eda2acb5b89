import { Chunk } from "../util/bytes.ts"
import { ACK_ENTRY_SIZE } from "./ack-log.ts"
import { StorageError } from "./disk.ts"
import type { Segment } from "./segment.ts"
import type { StoreContext } from "./store-context.ts"
import { QUEUE_NAME_FILE } from "./store-directory.ts"
import type { StoreDirectory } from "./store-directory.ts"

/**
 * What happens to the files of segments apart from growing (tail.ts) and being read (read-window.ts):
 * acks are added, finished segments removed, whole stores deleted.
 */

/** Ack entries written at a time. */
const ACK_BUFFER_SIZE_MAX = 64 << 10

/** Appends the pending acks to the ack file. Throws StorageError, and then all are still pending. */
export function writePendingAcks(context: StoreContext, segment: Segment): void {
  const total = segment.pendingRangeCount
  if (total === 0) return
  const size = Math.min(total * ACK_ENTRY_SIZE, ACK_BUFFER_SIZE_MAX)
  const lent = context.buffers.acquire(size)
  const chunk = lent ?? Chunk.allocate(size)
  try {
    const fd = context.openFiles.acquire(segment.ackPath, true)
    let done = 0
    while (done < total) {
      const count = segment.encodePending(done, chunk.view)
      const position = segment.ackFileSize + done * ACK_ENTRY_SIZE
      context.disk.write(fd, chunk.bytes, 0, count * ACK_ENTRY_SIZE, position)
      done += count
    }
  } finally {
    if (lent !== null) context.buffers.release(lent)
  }
  segment.ackFileSize += total * ACK_ENTRY_SIZE
  segment.clearPending()
}

/**
 * Removes the files of a segment whose messages are all settled. The messages go first: acks without
 * messages do no harm, messages without acks would come back.
 */
export function removeSegmentFiles(context: StoreContext, segment: Segment): void {
  const { disk, openFiles } = context
  openFiles.forget(segment.path)
  openFiles.forget(segment.ackPath)
  if (segment.size > 0 || segment.torn) {
    if (segment.keepFile) disk.rename(segment.path, `${segment.path}.corrupt`)
    else disk.remove(segment.path)
  }
  segment.size = 0
  segment.torn = false
  disk.remove(segment.ackPath)
  if (segment.hasMetaFile) disk.remove(segment.metaPath)
}

/**
 * Removes the directory of a store without segments. False if something was set aside in it: it
 * stays, and so must the store, because it knows which names are taken. Throws StorageError.
 */
export function removeIfEmpty(context: StoreContext, directory: StoreDirectory): boolean {
  const { disk } = context
  const names = disk.list(directory.path)
  if (names.length === 0) return true
  for (const name of names) if (name !== QUEUE_NAME_FILE) return false
  directory.forget(context)
  disk.removeTree(directory.path)
  return true
}

export function asStorageError(error: unknown): StorageError {
  if (error instanceof StorageError) return error
  throw error
}
