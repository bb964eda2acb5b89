import type { Encryption } from "./encryption.ts"
import type { ConnectedSocket } from "./socket-transport.ts"

/**
 * The byte stream of a client that came by WebSocket. Structurally the session's Transport. Each write
 * becomes one binary message; messages have nothing to do with the frames inside.
 *
 * Bytes are taken as they are, without a copy, and the socket under the WebSocket says how much of them
 * waits: so the session's limits for slow clients hold here, too.
 */
const BINARY = { binary: true, compress: false } as const
const NOTHING = new Uint8Array(0)
/** Normal closure. */
const CLOSE_NORMAL = 1000

/** Of ws's WebSocket what is used here: its types are no part of the package's. */
export interface OpenedWebSocket {
  readonly readyState: number
  readonly OPEN: number
  send(bytes: Uint8Array, options: typeof BINARY, done?: () => void): void
  ping(): void
  pause(): void
  resume(): void
  close(code: number): void
  terminate(): void
}

export class WebSocketTransport {
  /** For the management. */
  readonly protocol = "Web AMQP 0-9-1"
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  readonly localPort: number
  /** Null unless the connection to the HTTP port was one over TLS. */
  readonly encryption: Encryption | null
  readonly #webSocket: OpenedWebSocket
  readonly #socket: ConnectedSocket

  constructor(webSocket: OpenedWebSocket, socket: ConnectedSocket) {
    this.#webSocket = webSocket
    this.#socket = socket
    this.remoteAddress = socket.remoteAddress
    this.remotePort = socket.remotePort
    this.localAddress = socket.localAddress
    this.localPort = socket.localPort
    this.encryption = socket.encryption ?? null
  }

  get encrypted(): boolean {
    return this.encryption !== null
  }

  get bytesRead(): number {
    return this.#socket.bytesRead
  }

  get bytesWritten(): number {
    return this.#socket.bytesWritten
  }

  get writableLength(): number {
    return this.#socket.writableLength
  }

  /**
   * Who writes nothing wants to know when all before it was sent: no message is made of that. Neither once
   * the closing has begun, because `send` would then call `done` before the bytes of earlier writes, whose
   * buffers are used again after that, have left.
   */
  write(bytes: Uint8Array, done?: () => void): void {
    if (bytes.length > 0 && this.#webSocket.readyState === this.#webSocket.OPEN)
      this.#webSocket.send(bytes, BINARY, done)
    else if (this.#socket.writable) this.#socket.write(NOTHING, done)
    else if (done !== undefined) process.nextTick(done)
  }

  cork(): void {
    this.#socket.cork()
  }

  uncork(): void {
    this.#socket.uncork()
  }

  pause(): void {
    this.#webSocket.pause()
  }

  resume(): void {
    this.#webSocket.resume()
  }

  /** Keeps proxies, which end silent connections, from doing so. */
  ping(): void {
    if (this.#webSocket.readyState === this.#webSocket.OPEN) this.#webSocket.ping()
  }

  end(): void {
    this.#webSocket.close(CLOSE_NORMAL)
  }

  destroy(): void {
    this.#webSocket.terminate()
  }
}
