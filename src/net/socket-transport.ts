import { Socket } from "node:net"
import type { SocketConstructorOpts } from "node:net"
import type { TLSSocket } from "node:tls"
import type { Chunk } from "../util/bytes.ts"
import type { Encryption } from "./encryption.ts"

/** Whose connection it is: as the kernel says or, behind a proxy, as the proxy does. */
export interface PeerAddresses {
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  readonly localPort: number
  /** The peer is on this machine, and has no address. */
  readonly isUnix: boolean
  /** Null without TLS. */
  readonly encryption?: Encryption | null
}

/** A connected socket, whose addresses are known. Structurally the session's Transport. */
export type ConnectedSocket = Socket & {
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  readonly localPort: number
  readonly isUnix?: boolean
  readonly encryption?: Encryption | null
}

/** Asserts what the listener has checked: a socket without an address never gets this far. */
export function isConnected(socket: Socket): socket is ConnectedSocket {
  return socket.remoteAddress !== undefined && socket.localAddress !== undefined
}

/** Null if the peer has gone already. */
export function addressesOf(socket: Socket): PeerAddresses | null {
  if (!isConnected(socket)) return null
  const { remoteAddress, remotePort, localAddress, localPort } = socket
  return { remoteAddress, remotePort, localAddress, localPort, isUnix: false }
}

/** The socket that carries the encrypted bytes; the runtime has no public name for it. */
export function underlying(socket: TLSSocket): Socket | null {
  const parent: unknown = Reflect.get(socket, "_parent")
  return parent instanceof Socket ? parent : null
}

export function setEncryption(socket: Socket, encryption: Encryption): void {
  Object.defineProperty(socket, "encryption", { value: encryption, configurable: true })
}

/** From then on the socket shows these instead of its own. */
export function setAddresses(socket: Socket, addresses: PeerAddresses): void {
  for (const [name, value] of Object.entries(addresses))
    Object.defineProperty(socket, name, { value, configurable: true })
}

/**
 * An accepted socket once more, reading into `buffer` instead of a new buffer per read. The runtime
 * has this option for sockets that it is asked to make, not for those that a server accepts, so the
 * accepted one (which must be paused) gives its handle away. Null if the runtime has no such handle.
 *
 * Without it every 64 KiB received are a buffer of their own that only a full collection frees: with a
 * program that allocates nothing else, six of those a second under load.
 */
export function readingInto(
  accepted: Socket,
  buffer: Chunk,
  onRead: (size: number) => void,
): Socket | null {
  const handle: unknown = Reflect.get(accepted, "_handle")
  if (typeof handle !== "object" || handle === null || !("useUserBuffer" in handle)) return null
  Reflect.set(accepted, "_handle", null)
  const options: SocketConstructorOpts = {
    readable: true,
    writable: true,
    onread: {
      buffer: buffer.bytes,
      callback: (size) => {
        onRead(size)
        return true // Go on reading; who wants a pause calls pause().
      },
    },
  }
  return new Socket(Object.assign(options, { handle }))
}
