/** Limits and offers of the server side, the same for all connections. */
export interface SessionOptions {
  readonly frameMax: number
  readonly channelMax: number
  readonly heartbeatSeconds: number
  readonly maxMessageSize: number
  /** Default 0: no limit. */
  readonly maxConsumersPerChannel?: number | undefined
  /** How long a delivery may stay unsettled, for queues that do not say. Default 0: no limit. */
  readonly consumerTimeoutMs?: number | undefined
  readonly productVersion: string
}
