import { StorageError } from "./disk.ts"
import type { Disk } from "./disk.ts"
import type { StoreContext } from "./store-context.ts"

/**
 * Deletes the directory of a store. A long backlog is hundreds of files, 0.9 ms each: its directory
 * gets another name at once, so that a queue of the same name can begin anew, and is emptied a few
 * files at a time, between the turns of the broker.
 *
 *   1. renamed  2. crash  3. on boot removeDeletedStores() finds the name and removes the rest
 */

/** Names of the directories of single priorities (priority-store.ts). */
export const LEVEL_PREFIX = "prio."

/** Files removed in one go. */
export const REMOVALS_MAX = 8

/** Directories of stores, also of deleted ones and of those that were set aside. */
const STORE_NAME = /^[0-9a-f]{40}(?:\.|$)/

const DELETED_SUFFIX = ".deleted"

/** Throws StorageError; what is left then is of no queue that the definitions know. */
export function deleteStoreDirectory(
  context: StoreContext,
  directory: string,
  segmentCount: number,
): void {
  const { disk } = context
  if (segmentCount <= REMOVALS_MAX) {
    disk.removeTree(directory)
    return
  }
  let target = directory + DELETED_SUFFIX
  for (let n = 2; disk.list(target).length > 0; n++) target = `${directory}${DELETED_SUFFIX}${n}`
  disk.removeTree(target)
  disk.rename(directory, target)
  removeGradually(context, target)
}

function removeGradually(context: StoreContext, directory: string): void {
  const { clock, disk, log } = context
  clock.setImmediate(() => {
    try {
      const paths = someFiles(disk, directory)
      for (const path of paths) disk.remove(path)
      if (paths.length === REMOVALS_MAX) removeGradually(context, directory)
      else disk.removeTree(directory)
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      log.warn(
        { path: directory, code: error.code },
        "files of a deleted queue remain until the next start",
      )
    }
  })
}

/**
 * Removes the directory of a vhost with all that is in it, a few files at a time, between the turns. The
 * files whose names begin with a dot go last. Rejects with StorageError; a second call goes on.
 */
export async function removeVhostTree(
  { clock, disk }: Pick<StoreContext, "clock" | "disk">,
  directory: string,
): Promise<void> {
  const pause = (): Promise<void> => new Promise((next) => clock.setImmediate(next))
  const transient = `${directory}/transient`
  for (const parent of [transient, directory])
    for (const name of disk.list(parent)) {
      if (!STORE_NAME.test(name)) continue
      const store = `${parent}/${name}`
      for (;;) {
        const paths = someFiles(disk, store)
        for (const path of paths) disk.remove(path)
        await pause()
        if (paths.length < REMOVALS_MAX) break
      }
      disk.removeTree(store)
    }
  disk.removeTree(directory)
}

/** Up to REMOVALS_MAX files in the directory and in those of its priorities. */
function someFiles(disk: Disk, directory: string): string[] {
  const paths: string[] = []
  for (const name of disk.list(directory)) {
    const path = `${directory}/${name}`
    if (name.startsWith(LEVEL_PREFIX)) paths.push(...someFiles(disk, path))
    else paths.push(path)
    if (paths.length >= REMOVALS_MAX) return paths.slice(0, REMOVALS_MAX)
  }
  return paths
}

/** Removes what a crash left of deletions in the directory of a vhost. Throws StorageError. */
export function removeDeletedStores(disk: Disk, vhostDirectory: string): void {
  for (const name of disk.list(vhostDirectory))
    if (/\.deleted\d*$/.test(name)) disk.removeTree(`${vhostDirectory}/${name}`)
}
