import { Chunk } from "../util/bytes.ts"
import type { Clock } from "../util/clock.ts"
import type { ClientTransport, Dialer, DialTarget, TransportCallbacks } from "./transport.ts"

/**
 * A byte stream to a broker in the same process, without sockets. Two ends; what one writes the other
 * receives in a later turn of the event loop, as the same memory and without a copy. An end that is paused
 * lets the other's bytes wait, which shows in its `writableLength`: back-pressure as with a socket.
 *
 * The server's end looks like a connected socket to the one who accepts it. Who that is, and which
 * targets are this process, is wired where the program is put together.
 */
export interface LocalSession {
  onChunk(chunk: Chunk, size: number): void
  onClosed(): void
}

/** What an accepting session needs of a socket. */
export interface LocalSocket extends ClientTransport {
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  readonly localPort: number
  readonly bytesRead: number
  readonly bytesWritten: number
  cork(): void
  uncork(): void
}

export interface LocalDialerOptions {
  readonly clock: Clock
  /** Attaches a session to the server's end. */
  readonly accept: (socket: LocalSocket) => LocalSession
  /** Which targets are this process. Default: those without a host. */
  readonly isLocal?: (target: DialTarget) => boolean
  /** Everything else. */
  readonly otherwise: Dialer
}

export class LocalDialer implements Dialer {
  readonly #options: LocalDialerOptions
  #lastPort = 0

  constructor(options: LocalDialerOptions) {
    this.#options = options
  }

  dial(target: DialTarget, callbacks: TransportCallbacks): ClientTransport {
    const { clock, accept, otherwise, isLocal = isHostless } = this.#options
    if (!isLocal(target)) return otherwise.dial(target, callbacks)
    const link = new LocalLink(clock)
    const client = new LocalEnd(link)
    const server = new LocalEnd(link)
    server.remotePort = ++this.#lastPort
    client.peer = server
    server.peer = client
    link.ends = [client, server]
    client.receiver = {
      onChunk: (chunk, size) => callbacks.onChunk(chunk, size),
      onClosed: () => callbacks.onClosed(null),
    }
    server.receiver = accept(server)
    clock.setImmediate(() => {
      if (!link.isClosed) callbacks.onOpen()
    })
    return client
  }
}

function isHostless(target: DialTarget): boolean {
  return target.host === "" && target.socketPath === undefined
}

interface Write {
  readonly bytes: Uint8Array
  readonly done: (() => void) | undefined
}

/** Both directions: one visit per turn moves what was written before it. */
class LocalLink {
  isClosed = false
  ends: readonly LocalEnd[] = []
  readonly #clock: Clock
  #isScheduled = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    this.#clock.setImmediate(() => {
      this.#isScheduled = false
      for (const end of this.ends) end.move()
    })
  }

  /** Both ends learn of it in the next turn, as with a socket. */
  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    this.#clock.setImmediate(() => {
      for (const end of this.ends) end.drop()
      for (const end of this.ends) end.receiver?.onClosed()
    })
  }
}

class LocalEnd implements LocalSocket {
  readonly remoteAddress = "127.0.0.1"
  remotePort = 0
  readonly localAddress = "127.0.0.1"
  readonly localPort = 0
  writableLength = 0
  bytesRead = 0
  bytesWritten = 0
  peer: LocalEnd | null = null
  receiver: LocalSession | null = null
  readonly #link: LocalLink
  #isPaused = false
  #isEnding = false
  #written: Write[] = []

  constructor(link: LocalLink) {
    this.#link = link
  }

  write(bytes: Uint8Array, done?: () => void): void {
    if (this.#link.isClosed || this.#isEnding) {
      if (done !== undefined) this.#link.schedule()
      this.#written.push({ bytes: bytes.subarray(0, 0), done })
      return
    }
    this.#written.push({ bytes, done })
    this.writableLength += bytes.length
    this.bytesWritten += bytes.length
    this.#link.schedule()
  }

  cork(): void {}
  uncork(): void {}

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#link.schedule()
  }

  end(): void {
    this.#isEnding = true
    this.#link.schedule()
  }

  destroy(): void {
    this.#link.close()
  }

  /** Hands what this end has written to the other one, until that pauses. */
  move(): void {
    const peer = this.peer!
    const writes = this.#written
    this.#written = []
    let moved = 0
    while (moved < writes.length && (!peer.#isPaused || this.#link.isClosed)) {
      const { bytes, done } = writes[moved++]!
      if (bytes.length > 0 && !this.#link.isClosed) {
        const chunk = new Chunk(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))
        peer.bytesRead += bytes.length
        peer.receiver?.onChunk(chunk, bytes.length)
      }
      this.writableLength -= bytes.length
      done?.()
    }
    if (moved < writes.length) this.#written = [...writes.slice(moved), ...this.#written]
    else if (this.#isEnding && this.#written.length === 0) this.#link.close()
  }

  /** The link is closed: what waits is not sent any more. */
  drop(): void {
    for (const { bytes, done } of this.#written.splice(0)) {
      this.writableLength -= bytes.length
      done?.()
    }
  }
}
