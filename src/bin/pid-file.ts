/**
 * The file with the process id (option pidfile), for scripts that signal the broker. It is no lock: the
 * data directory has one of its own.
 */
import { readFileSync, unlinkSync, writeFileSync } from "node:fs"

export class PidFileError extends Error {
  override readonly name = "PidFileError"
}

/**
 * Writes the id of this process, and removes the file when the process exits. Replaces the file of a
 * process that is gone. Throws PidFileError if another process runs with the id in it, or if the file
 * cannot be written.
 */
export function writePidFile(path: string): void {
  const other = readPid(path)
  if (other !== null && other !== process.pid && isRunning(other))
    throw new PidFileError(`${path} names process ${String(other)}, which is running`)
  try {
    writeFileSync(path, `${String(process.pid)}\n`, { mode: 0o644 })
  } catch (error) {
    throw new PidFileError(`cannot write the pid file ${path}: ${reasonOf(error)}`, {
      cause: error,
    })
  }
  process.once("exit", () => remove(path))
}

function readPid(path: string): number | null {
  try {
    const pid = Number(readFileSync(path, "utf8").trim())
    return Number.isSafeInteger(pid) && pid > 0 ? pid : null
  } catch {
    return null // There is none, or it cannot be read: then writing says why.
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM"
  }
}

/** Only our own: another process may have replaced it. */
function remove(path: string): void {
  if (readPid(path) !== process.pid) return
  try {
    unlinkSync(path)
  } catch {
    // The directory has become read-only, or somebody was faster.
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error)
}
