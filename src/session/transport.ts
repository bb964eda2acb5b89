/**
 * The byte stream under a session: what it uses of a socket. TCP, TLS and Unix sockets fit as they
 * are; net/ attaches them and calls Connection.onData, onClosed.
 */
export interface Transport {
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  readonly localPort: number
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
