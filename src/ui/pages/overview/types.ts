/** What the pages about the whole broker read of the API. Optional: not for every user. */
export interface Rate {
  readonly rate: number
  readonly log?: readonly number[]
}

export interface OverviewData {
  readonly cluster_name: string
  readonly node: string
  readonly product_version: string
  readonly uptime: number
  readonly object_totals: Readonly<
    Record<"channels" | "connections" | "consumers" | "exchanges" | "queues" | "bindings", number>
  >
  readonly queue_totals: {
    readonly messages: number
    readonly messages_ready: number
    readonly messages_unacknowledged: number
    readonly messages_ready_log: readonly number[]
    readonly messages_unacknowledged_log: readonly number[]
  }
  /** `publish` is a number, `publish_details` a Rate. */
  readonly message_stats: Readonly<Record<string, number | Rate>>
  readonly churn_rates?: Readonly<Record<string, number | Rate>>
  readonly recv_oct_details?: Rate
  readonly send_oct_details?: Rate
  readonly listeners?: readonly Listener[]
}

export interface Listener {
  readonly protocol: string
  readonly ip_address: string
  readonly port: number
}

export interface NodeData {
  readonly name: string
  readonly uptime: number
  readonly processors: number
  readonly mem_used: number
  readonly mem_limit: number
  readonly mem_alarm: boolean
  readonly disk_free: number
  readonly disk_free_limit: number
  readonly disk_free_alarm: boolean
  readonly disk_total?: number
  readonly cpu_user_time: number
  readonly cpu_sys_time: number
  readonly sockets_used: number
  readonly db_dir: string | null
  /** Milliseconds, where the broker measures them. */
  readonly event_loop_delay_p99?: number
  readonly confirm_latency_p99?: number
}

export function rateOf(
  stats: Readonly<Record<string, number | Rate>> | undefined,
  name: string,
): Rate {
  const value = stats?.[`${name}_details`]
  return typeof value === "object" ? value : { rate: 0 }
}

/** Between two answers: the share of one core that the process used. */
export function cpuShare(before: NodeData | null, now: NodeData): number | null {
  if (before === null || now.uptime <= before.uptime) return null
  const used = now.cpu_user_time + now.cpu_sys_time - before.cpu_user_time - before.cpu_sys_time
  return Math.max(0, used) / (now.uptime - before.uptime)
}
