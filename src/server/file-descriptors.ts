import { readdir, readFile } from "node:fs/promises"

/**
 * How many files and sockets the process has open, and how many it may have, as Linux tells in /proc. Read
 * in the thread pool: with 10,000 sockets the list is long. Elsewhere both are unknown: 0.
 */
export interface DescriptorCounts {
  readonly openCount: number
  readonly max: number
}

export class FileDescriptors {
  #max = -1

  async read(): Promise<DescriptorCounts> {
    if (this.#max < 0) this.#max = await readMax()
    return { openCount: await countOpen(), max: this.#max }
  }
}

async function countOpen(): Promise<number> {
  try {
    // The directory itself is among them.
    return (await readdir("/proc/self/fd")).length - 1
  } catch {
    return 0
  }
}

async function readMax(): Promise<number> {
  try {
    const match = /^Max open files\s+(\d+|unlimited)/m.exec(
      await readFile("/proc/self/limits", "utf8"),
    )
    return Number(match?.[1] ?? 0) || 0
  } catch {
    return 0
  }
}
