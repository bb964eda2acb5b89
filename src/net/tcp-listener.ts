import { createServer } from "node:net"
import type { AddressInfo, Server, Socket } from "node:net"
import { isConnected } from "./socket-transport.ts"
import type { ConnectedSocket } from "./socket-transport.ts"

/**
 * Listens on TCP addresses and hands every accepted socket on. Knows no AMQP: the receiver of a
 * socket says what happens with its bytes.
 */
export interface SocketSession {
  onData(bytes: Buffer): void
  onClosed(): void
}

/** Accepted, not yet handled connections that the kernel keeps. */
const BACKLOG = 4096

export class TcpListener {
  readonly #servers: Server[] = []
  readonly #accept: (socket: ConnectedSocket) => SocketSession

  /** `accept` attaches a session to a new socket. */
  constructor(accept: (socket: ConnectedSocket) => SocketSession) {
    this.#accept = accept
  }

  /** Rejects with the system's error (EADDRINUSE, EACCES, EADDRNOTAVAIL …). Port 0 takes a free one. */
  listen(host: string, port: number): Promise<AddressInfo> {
    const server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 })
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

  #attach(socket: Socket): void {
    // A client that reset the connection before it was accepted has no address any more.
    if (!isConnected(socket)) {
      socket.destroy()
      return
    }
    const session = this.#accept(socket)
    socket.on("data", (bytes: Buffer) => session.onData(bytes))
    // The close that follows an error does all that must be done.
    socket.on("error", () => {})
    socket.on("close", () => session.onClosed())
  }

  /** Stops accepting. Sockets that were handed on are not touched. */
  close(): void {
    for (const server of this.#servers) server.close()
    this.#servers.length = 0
  }
}
