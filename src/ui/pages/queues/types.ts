import { href } from "../../lib/route.ts"
import type { Rate } from "../overview/types.ts"

/** A row of the list of queues, as far as pages read it. */
export interface QueueRow {
  readonly name: string
  readonly vhost: string
  readonly type: string
  readonly durable: boolean
  readonly auto_delete: boolean
  readonly exclusive: boolean
  readonly arguments: Readonly<Record<string, unknown>>
  readonly policy: string | null
  readonly operator_policy: string | null
  readonly state: string
  readonly consumers: number
  readonly messages: number
  readonly messages_ready: number
  readonly messages_unacknowledged: number
  readonly message_bytes: number
  readonly message_stats: Readonly<Record<string, number | Rate>>
}

export function queueHref({
  vhost,
  name,
  type,
}: Pick<QueueRow, "vhost" | "name" | "type">): string {
  return href([type === "stream" ? "streams" : "queues", vhost, name])
}
