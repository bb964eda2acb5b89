import type { User } from "../auth/users.ts"
import type { EncryptionInfo } from "../broker/inspection.ts"

/**
 * The byte stream under a session: what it uses of a socket. TCP, TLS and Unix sockets fit as they
 * are; net/ attaches them and calls Connection.onData, onClosed.
 */
export interface Transport {
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  readonly localPort: number
  /** For the management; default AMQP 0-9-1. */
  readonly protocol?: string
  /** Over TLS; default false. */
  readonly encrypted?: boolean
  /** The peer is on this machine and has no address; default false. */
  readonly isUnix?: boolean
  /**
   * Of this process: who acts, without a login (mechanism EXTERNAL). Such a connection counts for no limit.
   */
  readonly internalUser?: User
  /** What is known of the TLS connection. A proxy may have ended it, so `encrypted` may be false. */
  readonly encryption?: EncryptionInfo | null
  /** Since it was opened, for the management. */
  readonly bytesRead?: number
  readonly bytesWritten?: number
  /** Written, but not yet taken by the kernel. */
  readonly writableLength: number
  /**
   * Calls `done` once per write, later and in order, when the kernel has taken the bytes or the stream broke.
   * Whoever gives none asks for `writableLength` instead.
   */
  write(bytes: Uint8Array, done?: () => void): void
  cork(): void
  uncork(): void
  /** Stops and continues the delivery of received bytes. */
  pause(): void
  resume(): void
  /** Sends what was written, then closes. */
  end(): void
  /** Closes at once. */
  destroy(): void
}
