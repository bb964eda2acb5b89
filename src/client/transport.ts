import type { Chunk } from "../util/bytes.ts"

/**
 * The byte stream under a connection, and who opens it. Sockets are in socket-dialer.ts, a stream to a
 * broker in the same process is in local-transport.ts; tests bring their own.
 */
export interface ClientTransport {
  /** Bytes written that the other side, or the kernel, has not taken yet. */
  readonly writableLength: number
  /** The bytes must stay as they are until `done`, or until `writableLength` is 0. `done` is never called from within. */
  write(bytes: Uint8Array, done?: () => void): void
  /** Stops and continues the delivery of received bytes. */
  pause(): void
  resume(): void
  /** Sends what was written, then closes. */
  end(): void
  /** Closes at once. */
  destroy(): void
}

export interface TransportCallbacks {
  onOpen(): void
  /** The bytes lie at the beginning of the chunk and are valid only during the call. */
  onChunk(chunk: Chunk, size: number): void
  /** Exactly once, also if it never opened. Null: closed without an error. */
  onClosed(error: Error | null): void
}

export interface TlsOptions {
  /** False: any certificate will do. */
  readonly verify: boolean
  /** Sent to the server and compared with its certificate; null sends none. Default: the host. */
  readonly serverName?: string | null
  /** PEM texts. Without `ca` those that the runtime trusts. */
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  readonly passphrase?: string
}

/** Where to connect to. */
export interface DialTarget {
  /** Empty: the broker of this process, if the dialer has one, else localhost. */
  readonly host: string
  readonly port: number
  /** A Unix socket instead of host and port. */
  readonly socketPath?: string
  readonly tls: TlsOptions | null
  /** Address of this side; the system chooses without it. */
  readonly localAddress?: string
  /** Milliseconds of silence after which the kernel probes whether the peer is there. */
  readonly keepAliveMs?: number
}

export interface Dialer {
  /** Never throws: what goes wrong reaches onClosed. */
  dial(target: DialTarget, callbacks: TransportCallbacks): ClientTransport
}
