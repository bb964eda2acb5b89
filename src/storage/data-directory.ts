import { hash } from "node:crypto"
import { basename, dirname, join } from "node:path"
import { DEFINITIONS_CORRUPT_FILE, DEFINITIONS_FILE } from "./definitions-log.ts"
import { StorageError, type Disk } from "./disk.ts"
import type { StoreCommit } from "./store-context.ts"
import { LEVEL_PREFIX } from "./store-deletion.ts"

/**
 * What lies where in the data directory, and the right to use it. Who writes the files is said in
 * their own modules.
 *
 *   schema_version              number of this layout, as text
 *   .lock                       who uses the directory
 *   users.json, vhosts.json, user_limits.json, parameters.json
 *   <sha1 of vhost name>/
 *     .vhost                    the name, for humans
 *     .deletion                 the vhost is being deleted (server/vhosts.ts)
 *     definitions.amqp
 *     policies.json, operator_policies.json, parameters.json, limits.json
 *     <sha1 of queue name>/     a durable queue: .queue, msgs.*, acks.*, meta.*, deliveries
 *       prio.<number>/          with priorities: the same per priority
 *     transient/                the same for all other queues; wiped at every start
 *     <sha1>.orphan             messages of a queue that no definition knows, set aside
 */
const SCHEMA_VERSION = 1

const SCHEMA_FILE = "schema_version"
const LOCK_FILE = ".lock"
const VHOST_FILE = ".vhost"
const QUEUE_FILE = ".queue"
const TRANSIENT_DIRECTORY = "transient"
const ORPHAN_SUFFIX = ".orphan"
const SEGMENT_PREFIX = "msgs."
/** Directories of vhosts, and in them of queues. */
export const HASHED_NAME = /^[0-9a-f]{40}$/

export function vhostDirectory(dataDirectory: string, vhostName: string): string {
  return join(dataDirectory, hash("sha1", vhostName))
}

/** Plain concatenation, because it is called once per queue at boot. */
export function queueDirectory(
  vhostDirectoryPath: string,
  queueName: string,
  durable: boolean,
): string {
  const name = hash("sha1", queueName)
  return durable
    ? `${vhostDirectoryPath}/${name}`
    : `${vhostDirectoryPath}/${TRANSIENT_DIRECTORY}/${name}`
}

export interface DataDirectory {
  /** Gives up the lock. */
  release(): void
}

/**
 * Makes the directory if it is absent, and takes it for this broker. Its name, and those of its parents
 * that were made with it, are durable with the first commit round. Throws StorageError with one line
 * for a human if it cannot be written, is used by another broker, or is of a newer version.
 */
export function openDataDirectory(
  disk: Disk,
  path: string,
  commit: Pick<StoreCommit, "touchDirectory">,
): DataDirectory {
  const parents = parentsWithout(disk, path)
  const release = takeDirectory(disk, path)
  for (const parent of parents) commit.touchDirectory(parent)
  try {
    checkSchema(disk, path)
  } catch (error) {
    release()
    throw error
  }
  return { release }
}

/** Makes the directory of a vhost and writes down its name. Durable with the first definition in it. */
export function makeVhostDirectory(disk: Disk, directory: string, vhostName: string): void {
  disk.makeDirectory(directory)
  const path = join(directory, VHOST_FILE)
  if (disk.readFile(path)?.toString("utf8") !== vhostName) writeWhole(disk, path, vhostName)
}

/** Deletes what queues that are not durable have left. */
export function wipeTransient(disk: Disk, vhostDirectoryPath: string): void {
  disk.removeTree(join(vhostDirectoryPath, TRANSIENT_DIRECTORY))
}

/**
 * Deletes the directories of durable queues that are not declared any more, as a crash in the middle
 * of a deletion leaves them. Returns the names of these queues.
 *
 * If the definitions are absent or were damaged, nobody knows what was declared: then nothing is
 * deleted, and the directories are renamed to `.orphan`, so that a new queue of the same name begins
 * empty. A directory without a name is kept if it holds messages.
 */
export function removeStaleQueueDirectories(
  disk: Disk,
  vhostDirectoryPath: string,
  isKnown: (queueName: string) => boolean,
): string[] {
  const entries = disk.list(vhostDirectoryPath)
  const areDefinitionsWhole =
    entries.includes(DEFINITIONS_FILE) && !entries.includes(DEFINITIONS_CORRUPT_FILE)
  const stale: string[] = []
  for (const entry of entries) {
    if (!HASHED_NAME.test(entry)) continue
    const directory = join(vhostDirectoryPath, entry)
    const name = disk.readFile(join(directory, QUEUE_FILE))?.toString("utf8") ?? null
    if (name === null || hash("sha1", name) !== entry) {
      if (!holdsMessages(disk, directory)) disk.removeTree(directory)
      continue
    }
    if (isKnown(name)) continue
    if (areDefinitionsWhole) disk.removeTree(directory)
    else disk.rename(directory, freeName(disk, directory + ORPHAN_SUFFIX))
    stale.push(name)
  }
  return stale
}

/** The directories that are to have the next part of the path. */
function parentsWithout(disk: Disk, path: string): string[] {
  // A directory with a version has a name that an earlier start made durable.
  if (isIn(disk, path, SCHEMA_FILE)) return []
  const parents = [dirname(path)]
  let at = dirname(path)
  while (at !== dirname(at) && !isIn(disk, dirname(at), basename(at))) {
    at = dirname(at)
    parents.push(at)
  }
  return parents
}

/** Also true if it cannot be said: then there is nothing to make in it. */
function isIn(disk: Disk, directory: string, name: string): boolean {
  try {
    return disk.list(directory).includes(name)
  } catch (error) {
    if (error instanceof StorageError) return true
    throw error
  }
}

function takeDirectory(disk: Disk, path: string): () => void {
  try {
    disk.makeDirectory(path)
    return disk.lock(join(path, LOCK_FILE))
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    const text =
      error.code === "LOCKED"
        ? `data directory ${path} is in use by another broker: ${error.message}`
        : `data directory ${path} cannot be used: ${error.message}`
    throw new StorageError(path, error.code, text, error)
  }
}

function checkSchema(disk: Disk, path: string): void {
  const file = join(path, SCHEMA_FILE)
  const text = disk.readFile(file)?.toString("latin1").replaceAll("\0", "").trim() ?? ""
  // Empty: a crash at the very first start came before the content.
  if (text === "") {
    writeWhole(disk, file, `${String(SCHEMA_VERSION)}\n`)
    return
  }
  const version = /^\d{1,9}$/.test(text) ? Number(text) : 0
  if (version > SCHEMA_VERSION)
    throw new StorageError(
      path,
      "VERSION",
      `data directory ${path} was written by a newer version (schema ${text}, known up to ${String(SCHEMA_VERSION)}): start that version, or use another directory`,
    )
  if (version === 0)
    throw new StorageError(
      path,
      "VERSION",
      `data directory ${path} was written by another program (${file} holds no version of ours): use another directory`,
    )
}

/** Not synced: what these small files say is found out again, or written again, if it is lost. */
function writeWhole(disk: Disk, path: string, text: string): void {
  const content = Buffer.from(text, "utf8")
  const fd = disk.open(path, true)
  try {
    disk.truncate(fd, 0)
    disk.write(fd, content, 0, content.length, 0)
  } finally {
    disk.close(fd)
  }
}

function holdsMessages(disk: Disk, directory: string): boolean {
  return disk
    .list(directory)
    .some((name) => name.startsWith(SEGMENT_PREFIX) || name.startsWith(LEVEL_PREFIX))
}

function freeName(disk: Disk, path: string): string {
  const taken = new Set(disk.list(dirname(path)).map((name) => join(dirname(path), name)))
  let candidate = path
  for (let number = 2; taken.has(candidate); number++) candidate = `${path}.${String(number)}`
  return candidate
}
