import type { ConsumerRow } from "../connections/types.ts"
import type { QueueRow } from "../queues/types.ts"

/** One queue or stream as the API has it. */
export interface QueueDetail extends QueueRow {
  readonly effective_policy_definition: Readonly<Record<string, unknown>>
  readonly messages_persistent: number
  readonly message_bytes_ready: number
  readonly message_bytes_unacknowledged: number
  readonly ready_avg_bytes: number
  readonly unacked_avg_bytes: number
  readonly single_active_consumer_tag: string | null
  readonly exclusive_consumer_tag: string | null
  readonly owner_pid_details?: { readonly name: string; readonly user: string }
  readonly consumer_details: readonly ConsumerRow[]
  readonly delivery: Delivery
  readonly stream?: StreamInfo
}

export interface Delivery {
  readonly state: "idle" | "waiting" | "delivering" | "paused" | "crashed"
  readonly code: string
  readonly reason: string
}

export interface StreamInfo {
  readonly first_offset: number
  readonly next_offset: number
  readonly segments: number
  readonly readers: readonly StreamReader[]
  /** Where those go on that named themselves. */
  readonly kept_offsets: readonly KeptOffset[]
}

export interface StreamReader {
  readonly consumer_tag: string
  readonly channel_name: string | null
  readonly offset: number
  readonly lag: number
}

export interface KeptOffset {
  readonly consumer_tag: string
  readonly offset: number
  readonly lag: number
  readonly connected: boolean
}

/** Consumers in the answer for one queue: more are on the page of consumers. */
export const CONSUMERS_MAX = 500
