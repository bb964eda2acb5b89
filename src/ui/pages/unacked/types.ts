/** What one consumer, or basic.get on one queue, holds unacked. */
export interface UnackedRow {
  /** Of the queue. */
  readonly name: string
  readonly vhost: string
  readonly consumer_tag: string
  readonly channel_name: string
  readonly connection_name: string
  readonly user: string
  readonly unacked: number
  /** 0: no limit. */
  readonly prefetch_count: number
  /** About; null: it has just come. */
  readonly unacked_since_ms: number | null
}
