import { totalmem } from "node:os"
import { getHeapStatistics, setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { CgroupMemory } from "./cgroup-memory.ts"
import type { MemorySource } from "./memory-monitor.ts"

/** The memory of this process as the runtime tells it, and the limit of its container or service. */
export class ProcessMemory implements MemorySource {
  readonly #cgroup = new CgroupMemory()
  #collect: (() => void) | null = null

  get totalBytes(): number {
    return Math.min(this.#cgroup.limitBytes, totalmem())
  }

  get usedBytes(): number {
    return process.memoryUsage.rss()
  }

  get heapUsedBytes(): number {
    return getHeapStatistics().used_heap_size
  }

  get heapLimitBytes(): number {
    return getHeapStatistics().heap_size_limit
  }

  /** The function exists only where a flag asks for it, which can be set late; made once, in 2 ms. */
  collect(): void {
    if (this.#collect === null) {
      setFlagsFromString("--expose-gc")
      const collect: unknown = runInNewContext("gc")
      setFlagsFromString("--no-expose-gc")
      this.#collect = typeof collect === "function" ? () => void collect() : (): void => {}
    }
    this.#collect()
  }
}
