import { readFileSync } from "node:fs"
import { posix } from "node:path"

/**
 * The least memory limit of the control groups that this process is in, its own and those around it: the
 * kernel keeps to all of them, the runtime reads the innermost only. Knows nothing of what is used.
 *
 *   /proc/self/cgroup            0::/system.slice/sluice.service                (version 2)
 *                                4:memory:/docker/0123abcd                      (version 1)
 *   /sys/fs/cgroup…/…            memory.max, memory.high or memory.limit_in_bytes: bytes, or `max`
 *
 * In a container the path may be that of the host, where the mount shows the container's own group as the root. Folders
 * that are not there are passed over, so the way up ends at that root.
 */
const SELF = "/proc/self/cgroup"
const MOUNT = "/sys/fs/cgroup"
/** Above the first the kernel slows the process down until it has given memory back. */
const FILES_V2 = ["memory.high", "memory.max"] as const
const FILES_V1 = ["memory.limit_in_bytes"] as const
/** A folder's path is no longer than that, so neither is the way up. */
const DEPTH_MAX = 64

/** Null if it cannot be read. */
type ReadText = (path: string) => string | null

export class CgroupMemory {
  readonly #read: ReadText
  /** Of those that exist. A process hardly ever changes its groups; limits do change. */
  #paths: readonly string[] | null = null

  constructor(read: ReadText = readText) {
    this.#read = read
  }

  /** Infinity if there is none. As of now. */
  get limitBytes(): number {
    this.#paths ??= limitFiles(this.#read(SELF) ?? "").filter((path) => this.#read(path) !== null)
    let least = Infinity
    for (const path of this.#paths) least = Math.min(least, parseLimit(this.#read(path)))
    return least
  }
}

function limitFiles(groups: string): string[] {
  const paths: string[] = []
  for (const line of groups.split("\n")) {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? []
    if (controllers === undefined || path === undefined) continue
    if (controllers === "") paths.push(...onTheWayUp(MOUNT, path, FILES_V2))
    else if (controllers.split(",").includes("memory"))
      paths.push(...onTheWayUp(`${MOUNT}/memory`, path, FILES_V1))
  }
  return paths
}

function onTheWayUp(mount: string, path: string, files: readonly string[]): string[] {
  const paths: string[] = []
  // A group outside of the namespace is named by `/../…`.
  let folder = posix.resolve("/", path)
  for (let depth = 0; depth < DEPTH_MAX; depth++) {
    for (const file of files) paths.push(posix.join(mount, folder, file))
    if (folder === "/") break
    folder = posix.dirname(folder)
  }
  return paths
}

/** Version 1 writes a number that no machine has when there is no limit. */
function parseLimit(text: string | null): number {
  const digits = text?.trim() ?? ""
  const bytes = /^\d+$/.test(digits) ? Number(digits) : Infinity
  return bytes > 0 ? bytes : Infinity
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return null
  }
}
