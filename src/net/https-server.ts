import type { Server, ServerOptions } from "node:http"
import type { Socket } from "node:net"
import { encryptionOf } from "./encryption.ts"
import { setEncryption, underlying } from "./socket-transport.ts"
import type { RequestListener } from "./http-server.ts"
import type { TlsContexts } from "./tls-contexts.ts"

/** HTTP servers behind TLS that follow changes of their certificates. Clients that may not go on are cut off. */

const HANDSHAKE_TIMEOUT_MS = 10_000

export function createHttpsServer(
  options: ServerOptions,
  listener: RequestListener,
  contexts: TlsContexts,
  onRefused: (peer: string, reason: string) => void,
): Server {
  const server = process
    .getBuiltinModule("node:https")
    .createServer(
      { ...options, ...contexts.serverOptions, handshakeTimeout: HANDSHAKE_TIMEOUT_MS },
      listener,
    )
  contexts.attach(server)
  // The runtime does not count them among the connections of the server.
  const inHandshake = new Set<Socket>()
  server.on("connection", (socket: Socket) => {
    inHandshake.add(socket)
    socket.once("close", () => inHandshake.delete(socket))
  })
  const closeAll = server.closeAllConnections.bind(server)
  server.closeAllConnections = (): void => {
    closeAll()
    for (const socket of inHandshake) socket.destroy()
  }
  // Before the listener that reads the first request.
  server.prependListener("secureConnection", (socket) => {
    const below = underlying(socket)
    if (below !== null) inHandshake.delete(below)
    const reason = contexts.refusal(socket)
    setEncryption(socket, encryptionOf(socket, contexts.isVerified(socket)))
    if (reason === null) return
    onRefused(socket.remoteAddress ?? "", reason)
    socket.destroy()
  })
  return server
}
