/** The part of a client's certificate that names its user. */
export type CertificateName = "common_name" | "distinguished_name"

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
  /** Default common_name. */
  readonly certificateLoginFrom?: CertificateName | undefined
  readonly productVersion: string
}
