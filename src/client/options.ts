import type { PlainRecord } from "../amqp/table.ts"
import type { TlsOptions } from "./transport.ts"

/** What a connection is made of. Everything but the place has a default. */
export type Mechanism = "PLAIN" | "AMQPLAIN" | "EXTERNAL"

export interface ConnectOptions {
  /** Empty means the broker of this process, else localhost. */
  readonly host?: string
  /** Default 5672, with TLS 5671. */
  readonly port?: number
  readonly socketPath?: string
  readonly tls?: TlsOptions | null
  readonly vhost?: string
  readonly username?: string
  readonly password?: string
  /** In order of preference; the first that the server offers is taken. Default PLAIN, AMQPLAIN. */
  readonly mechanisms?: readonly Mechanism[]
  /** 0 asks for none. Default: what the server asks for. */
  readonly heartbeatSeconds?: number
  /** Default: what the server allows. */
  readonly channelMax?: number
  /** Default 131072. */
  readonly frameMax?: number
  /** From the first byte until the connection is open. Default 30 s. */
  readonly connectTimeoutMs?: number
  /** The longest wait for the reply to a method. Default 60 s; 0 is no limit. */
  readonly callTimeoutMs?: number
  /** The largest message that is taken from the server. Default 512 MiB. */
  readonly messageSizeMax?: number
  /** Shown by the server's management. */
  readonly name?: string
  /** Added to the client properties. */
  readonly clientProperties?: PlainRecord
  readonly localAddress?: string
  readonly keepAliveMs?: number
}

export const CONNECT_TIMEOUT_MS = 30_000
export const CALL_TIMEOUT_MS = 60_000
export const CLOSE_TIMEOUT_MS = 10_000
export const FRAME_MAX = 131_072
export const CHANNEL_MAX = 65_535
export const MESSAGE_SIZE_MAX = 512 << 20
