import { createServer } from "node:net"
import type { AddressInfo, Server, Socket } from "node:net"
import { Chunk } from "../util/bytes.ts"
import { isConnected, readingInto } from "./socket-transport.ts"
import type { ConnectedSocket } from "./socket-transport.ts"

/**
 * Listens on TCP addresses and hands every accepted socket on. Knows no AMQP: the receiver of a
 * socket says what happens with its bytes.
 */
export interface SocketSession {
  /** The bytes lie at the beginning of the chunk and are valid only during the call. */
  onChunk(chunk: Chunk, size: number): void
  onClosed(): void
}

/** Accepted, not yet handled connections that the kernel keeps. */
const BACKLOG = 4096

/** One for all sockets: what a read brings is worked through before the next read begins. */
const READ_BUFFER_SIZE = 128 << 10

export class TcpListener {
  readonly #servers: Server[] = []
  readonly #accept: (socket: ConnectedSocket) => SocketSession
  readonly #readBuffer = Chunk.allocate(READ_BUFFER_SIZE)

  /** `accept` attaches a session to a new socket. */
  constructor(accept: (socket: ConnectedSocket) => SocketSession) {
    this.#accept = accept
  }

  /** Rejects with the system's error (EADDRINUSE, EACCES, EADDRNOTAVAIL …). Port 0 takes a free one. */
  listen(host: string, port: number): Promise<AddressInfo> {
    const server = createServer({
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: 60_000,
      pauseOnConnect: true,
    })
    server.on("connection", (socket) => this.#attach(socket))
    return new Promise((resolve, reject) => {
      server.once("error", reject)
      // An address with a colon is IPv6 only, so that 0.0.0.0 and :: can be bound side by side.
      server.listen({ host, port, backlog: BACKLOG, ipv6Only: host.includes(":") }, () => {
        server.off("error", reject)
        // What goes wrong later (no file descriptors left) concerns one client, not the listener.
        server.on("error", () => {})
        this.#servers.push(server)
        const address = server.address()
        if (address === null || typeof address === "string")
          reject(new Error("a TCP server has an address and a port"))
        else resolve(address)
      })
    })
  }

  #attach(accepted: Socket): void {
    let session: SocketSession | null = null
    const buffer = this.#readBuffer
    const reading = readingInto(accepted, buffer, (size) => session?.onChunk(buffer, size))
    const socket = reading ?? accepted
    // The close that follows an error does all that must be done.
    socket.on("error", () => {})
    // A client that reset the connection before it was accepted has no address any more.
    if (!isConnected(socket)) {
      socket.destroy()
      return
    }
    const opened = this.#accept(socket)
    session = opened
    socket.on("close", () => opened.onClosed())
    if (reading !== null) return
    socket.on("data", (bytes: Buffer) => opened.onChunk(new Chunk(bytes), bytes.length))
    socket.resume()
  }

  /** Stops accepting. Sockets that were handed on are not touched. */
  close(): void {
    for (const server of this.#servers) server.close()
    this.#servers.length = 0
  }
}
