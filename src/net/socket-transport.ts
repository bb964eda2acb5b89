import type { Socket } from "node:net"

/** A connected socket, whose addresses are known. Structurally the session's Transport. */
export type ConnectedSocket = Socket & {
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  readonly localPort: number
}

/** Asserts what the listener has checked: a socket without an address never gets this far. */
export function isConnected(socket: Socket): socket is ConnectedSocket {
  return socket.remoteAddress !== undefined && socket.localAddress !== undefined
}
