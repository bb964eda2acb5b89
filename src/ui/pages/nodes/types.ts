import type { NodeData, Rate } from "../overview/types.ts"

/** A node with all that its page reads; what an older broker does not tell is absent. */
export interface NodeDetails extends NodeData {
  readonly os_pid: string
  readonly mem_used_details?: Rate
  readonly disk_free_details?: Rate
  readonly cpu_user_time_details?: Rate
  readonly cpu_sys_time_details?: Rate
  readonly fd_used?: number
  readonly fd_total?: number
  readonly io_read_count?: number
  readonly io_read_bytes?: number
  readonly io_write_count?: number
  readonly io_write_bytes?: number
  readonly io_sync_count?: number
  readonly io_sync_avg_time?: number
  readonly certificates?: readonly Certificate[]
  readonly applications?: readonly { readonly name: string; readonly version: string }[]
}

export interface Certificate {
  readonly protocol: string
  readonly host: string
  readonly subject: string
  /** Milliseconds since 1970. */
  readonly not_after: number
}

export interface MemoryBreakdown {
  readonly memory: {
    readonly heap_used: number
    readonly heap_total: number
    readonly external: number
    readonly array_buffers: number
    readonly total: { readonly rss: number; readonly allocated: number }
  }
}
