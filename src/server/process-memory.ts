import { totalmem } from "node:os"
import { getHeapStatistics, setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import type { MemorySource } from "./memory-monitor.ts"

/**
 * The memory of this process as the runtime tells it. The limit of a container (cgroup v1 or v2) is read by
 * the runtime, too; where there is none it says 0, or a number that no machine has.
 */
export class ProcessMemory implements MemorySource {
  #collect: (() => void) | null = null

  get totalBytes(): number {
    const constrained = process.constrainedMemory()
    const total = totalmem()
    return constrained > 0 ? Math.min(constrained, total) : total
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
