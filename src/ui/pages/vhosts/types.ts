import type { Rate } from "../overview/types.ts"

/** A vhost, as the API shows it. */
export interface VhostRow {
  readonly name: string
  readonly dir: string
  readonly description: string
  readonly tags: readonly string[]
  readonly default_queue_type: string | null
  readonly protected_from_deletion: boolean
  readonly limits: Readonly<Record<string, number>>
  readonly messages: number
  readonly messages_ready: number
  readonly messages_unacknowledged: number
  readonly recv_oct_details: Rate
  readonly send_oct_details: Rate
  readonly message_stats: Readonly<Record<string, number | Rate>>
}
