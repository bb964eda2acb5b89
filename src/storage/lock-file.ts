import { StorageError } from "./disk.ts"

/**
 * An exclusive lock as a file that names its holder. It survives a crash as a file, but not as a
 * lock: the next one sees that the holder is gone and takes over.
 *
 *   pid \n start time in ticks since boot \n boot id \n pid namespace \n        empty where unknown
 *
 * A process number alone proves nothing, because numbers are reused; with the start time and the boot
 * they are unique. The lock is per machine and per view of its processes: a holder in another container or on
 * another machine cannot be seen and counts as gone.
 */

/** The few file operations that a lock takes. What they throw is passed on. */
export interface LockFiles {
  /** Null if absent. */
  read(path: string): string | null
  /** Where a symbolic link points; null if that cannot be read. */
  readLink(path: string): string | null
  /** Makes or overwrites. */
  write(path: string, content: string): void
  /** False if the file exists. */
  writeExclusive(path: string, content: string): boolean
  /** A second name for the file. "unsupported" on filesystems without hard links. */
  link(from: string, to: string): "done" | "exists" | "unsupported"
  /** False if `from` is absent. */
  rename(from: string, to: string): boolean
  remove(path: string): void
}

interface Holder {
  readonly pid: number
  readonly startTicks: string
  readonly bootId: string
  readonly namespace: string
}

/** Attempts before giving up; another one is needed only when several start in the same instant. */
const ATTEMPTS_MAX = 10

/** Returns the release. Throws StorageError naming the holder, or the system's error. */
export function takeLock(files: LockFiles, path: string): () => void {
  const own = format(ownIdentity(files))
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    // The dead holder's file goes before ours is made: on a full disk there is no room for both.
    const found = files.read(path)
    if (found !== null) {
      const holder = parse(found)
      if (holder !== null && isAlive(files, holder))
        throw new StorageError(
          path,
          "LOCKED",
          `${path} is held by process ${String(holder.pid)}, which is running`,
        )
      removeStale(files, path, found)
    }
    if (createWhole(files, path, own))
      return () => {
        if (files.read(path) === own) files.remove(path)
      }
  }
  throw new StorageError(path, "LOCKED", `${path} is being taken by another process`)
}

/** The process that holds the lock and runs, as far as it can be seen from here; null for none. Changes nothing. */
export function lockHolder(files: LockFiles, path: string): number | null {
  const found = files.read(path)
  const holder = found === null ? null : parse(found)
  return holder !== null && isAlive(files, holder) ? holder.pid : null
}

/** Makes the file with its whole content in one step. False if it exists. */
function createWhole(files: LockFiles, path: string, content: string): boolean {
  const temporary = `${path}.${String(process.pid)}`
  files.write(temporary, content)
  const result = files.link(temporary, path)
  files.remove(temporary)
  // Without hard links another process may see the file before its content, and take over.
  if (result === "unsupported") return files.writeExclusive(path, content)
  return result === "done"
}

/** Moves the file away before deleting it, and back if somebody else was faster and it is theirs. */
function removeStale(files: LockFiles, path: string, content: string): void {
  const aside = `${path}.stale.${String(process.pid)}`
  if (!files.rename(path, aside)) return
  const moved = files.read(aside)
  if (moved !== null && moved !== content) createWhole(files, path, moved)
  files.remove(aside)
}

function ownIdentity(files: LockFiles): Holder {
  return {
    pid: process.pid,
    startTicks: startTicks(files, process.pid),
    bootId: bootId(files),
    namespace: pidNamespace(files),
  }
}

function isAlive(files: LockFiles, holder: Holder): boolean {
  if (differs(holder.bootId, bootId(files))) return false
  if (differs(holder.namespace, pidNamespace(files))) return false
  try {
    process.kill(holder.pid, 0)
  } catch (error) {
    // EPERM: there is such a process, of another user.
    if (!(error instanceof Error && "code" in error && error.code === "EPERM")) return false
  }
  if (isZombie(files, holder.pid)) return false
  return !differs(holder.startTicks, startTicks(files, holder.pid))
}

/** What is unknown on one side proves nothing. */
function differs(recorded: string, present: string): boolean {
  return recorded !== "" && present !== "" && recorded !== present
}

function format(holder: Holder): string {
  return `${String(holder.pid)}\n${holder.startTicks}\n${holder.bootId}\n${holder.namespace}\n`
}

/** Null for what cannot be a lock of ours, such as a file that a crash left empty. */
function parse(content: string): Holder | null {
  const [pid = "", ticks = "", boot = "", namespace = ""] = content.split("\n")
  if (!/^[1-9]\d{0,9}$/.test(pid)) return null
  return { pid: Number(pid), startTicks: ticks, bootId: boot, namespace }
}

/** Killed, but nobody has asked for its exit code yet: common in containers without an init. */
function isZombie(files: LockFiles, pid: number): boolean {
  const state = statFields(files, pid)[0]
  return state === "Z" || state === "X"
}

/** Field 22 of /proc/<pid>/stat; empty where there is no /proc. */
function startTicks(files: LockFiles, pid: number): string {
  return statFields(files, pid)[19] ?? ""
}

/** The fields of /proc/<pid>/stat from number 3 on: the name before it may hold spaces and parentheses. */
function statFields(files: LockFiles, pid: number): string[] {
  const stat = readProc(files, `/proc/${String(pid)}/stat`)
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")
}

function bootId(files: LockFiles): string {
  return readProc(files, "/proc/sys/kernel/random/boot_id").trim()
}

function pidNamespace(files: LockFiles): string {
  return files.readLink("/proc/self/ns/pid") ?? ""
}

function readProc(files: LockFiles, path: string): string {
  try {
    return files.read(path) ?? ""
  } catch {
    // No right to look, or the process ended meanwhile: unknown.
    return ""
  }
}
