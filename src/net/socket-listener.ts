import { createServer } from "node:net"
import type { AddressInfo, ListenOptions, Server, Socket } from "node:net"
import { createServer as createTlsServer } from "node:tls"
import type { Server as TlsServer, TLSSocket } from "node:tls"
import type { KeepAlive } from "../config/parse-values.ts"
import { Chunk } from "../util/bytes.ts"
import type { Clock } from "../util/clock.ts"
import type { Logger } from "../util/logger.ts"
import { encryptionOf } from "./encryption.ts"
import type { Encryption } from "./encryption.ts"
import { PendingPeers } from "./pending-peers.ts"
import { readProxyHeader } from "./proxy-header.ts"
import type { TrustedSources } from "./proxy-policy.ts"
import type { ProxyTlsFacts, ProxyVerdict } from "./proxy-protocol.ts"
import {
  addressesOf,
  isConnected,
  readingInto,
  setAddresses,
  underlying,
} from "./socket-transport.ts"
import type { ConnectedSocket, PeerAddresses } from "./socket-transport.ts"
import type { TlsContexts } from "./tls-contexts.ts"
import { listenOnUnixPath } from "./unix-path.ts"

/**
 * Listens on TCP addresses, Unix sockets and sockets that were handed over, ends TLS, reads PROXY
 * headers, and hands every accepted socket on. Knows no AMQP: the receiver of a socket says what happens
 * with its bytes.
 */
export interface SocketSession {
  /** The bytes lie at the beginning of the chunk and are valid only during the call. */
  onChunk(chunk: Chunk, size: number): void
  onClosed(): void
}

export interface SocketListenerOptions {
  /** Attaches a session to a new socket. */
  readonly accept: (socket: ConnectedSocket) => SocketSession
  readonly clock: Clock
  readonly log: Logger
  readonly noDelay: boolean
  /** Null is off. */
  readonly keepAlive: KeepAlive | null
}

/** What a peer has to do before it is handed on. Read for each connection, so that it may change. */
export interface Entrance {
  readonly tls: TlsContexts | null
  /** Null: a PROXY header is not expected. */
  proxy: TrustedSources | null
}

const PLAIN: Entrance = { tls: null, proxy: null }

/** Accepted, not yet handled connections that the kernel keeps. */
const BACKLOG = 4096
/** One for all sockets: what a read brings is worked through before the next read begins. */
const READ_BUFFER_SIZE = 128 << 10
/** Peers whose PROXY header or TLS handshake is not done yet: some 60 KiB each. */
const PENDING_MAX = 2000
const PENDING_TIMEOUT_MS = 10_000

export class SocketListener {
  readonly #servers: Server[] = []
  readonly #options: SocketListenerOptions
  readonly #readBuffer = Chunk.allocate(READ_BUFFER_SIZE)
  readonly #pending: PendingPeers
  /** Of sockets whose TLS handshake is not done. */
  readonly #addresses = new WeakMap<Socket, PeerAddresses>()
  #lastUnixPeer = 0

  constructor(options: SocketListenerOptions) {
    this.#options = options
    this.#pending = new PendingPeers(
      options.clock,
      PENDING_MAX,
      PENDING_TIMEOUT_MS,
      (socket, reason) => this.#refused(socket.remoteAddress, "no handshake", reason),
    )
  }

  /** Rejects with the system's error (EADDRINUSE, EACCES, EADDRNOTAVAIL …). Port 0 takes a free one. */
  async listen(host: string, port: number, entrance = PLAIN): Promise<AddressInfo> {
    const server = this.#createServer(entrance, null)
    // An address with a colon is IPv6 only, so that 0.0.0.0 and :: can be bound side by side.
    const where = { host, port, backlog: BACKLOG, ipv6Only: host.includes(":") }
    const address = await this.#opened(server, where)
    if (address === null || typeof address === "string")
      throw new Error("a TCP server has an address and a port")
    return address
  }

  /** Rejects with UnixPathError. */
  async listenUnix(path: string, mode: number, entrance = PLAIN): Promise<void> {
    const server = this.#createServer(entrance, () => path)
    await listenOnUnixPath(server, path, mode)
    server.on("error", () => {})
    this.#servers.push(server)
  }

  /** A socket that was opened by whoever has started the process. Its address, or the path of a Unix socket. */
  async listenFd(fd: number, entrance = PLAIN): Promise<AddressInfo | string> {
    const server: Server = this.#createServer(entrance, () => {
      const address = server.address()
      return typeof address === "string" ? address : null
    })
    return (await this.#opened(server, { fd })) ?? ""
  }

  #opened(
    server: Server,
    where: ListenOptions | { readonly fd: number },
  ): Promise<AddressInfo | string | null> {
    return new Promise((resolve, reject) => {
      server.once("error", reject)
      server.listen(where, () => {
        server.off("error", reject)
        // What goes wrong later (no file descriptors left) concerns one client, not the listener.
        server.on("error", () => {})
        this.#servers.push(server)
        resolve(server.address())
      })
    })
  }

  /** `unixPathOf`: null for TCP. A peer without address is not taken for one on a Unix socket: it may have gone. */
  #createServer(entrance: Entrance, unixPathOf: (() => string | null) | null): Server {
    const { noDelay, keepAlive } = this.#options
    const server = createServer({
      noDelay,
      keepAlive: keepAlive !== null,
      keepAliveInitialDelay: (keepAlive?.idle ?? 0) * 1000,
      pauseOnConnect: true,
    })
    const { tls } = entrance
    const tlsServer = tls === null ? null : this.#createTlsServer(tls)
    if (tlsServer !== null) server.on("close", () => tlsServer.close())
    server.on("connection", (socket) => {
      if (tlsServer !== null || unixPathOf !== null || entrance.proxy !== null)
        this.#meet(socket, entrance, unixPathOf?.() ?? null, tlsServer)
      else this.#attach(socket)
    })
    return server
  }

  /** To a session. What was read already comes first. */
  #attach(accepted: Socket, addresses: PeerAddresses | null = null): void {
    const { keepAlive } = this.#options
    if (keepAlive !== null) setProbes(accepted, keepAlive)
    let session: SocketSession | null = null
    const buffer = this.#readBuffer
    const early = addresses === null ? null : readBuffered(accepted)
    const reading = readingInto(accepted, buffer, (size) => session?.onChunk(buffer, size))
    const socket = reading ?? accepted
    // The close that follows an error does all that must be done.
    socket.on("error", () => {})
    if (addresses !== null) setAddresses(socket, addresses)
    // A client that reset the connection before it was accepted has no address any more.
    if (!isConnected(socket)) {
      socket.destroy()
      return
    }
    const opened = this.#options.accept(socket)
    session = opened
    socket.on("close", () => opened.onClosed())
    if (early !== null) opened.onChunk(new Chunk(early), early.length)
    if (reading !== null) return
    socket.on("data", (bytes: Buffer) => opened.onChunk(new Chunk(bytes), bytes.length))
    socket.resume()
  }

  // ---- peers that show who they are before the first byte of AMQP

  #meet(
    accepted: Socket,
    entrance: Entrance,
    unixPath: string | null,
    tlsServer: TlsServer | null,
  ): void {
    accepted.on("error", () => {})
    const own = unixPath === null ? addressesOf(accepted) : this.#unixPeer(unixPath)
    if (own === null) {
      accepted.destroy()
      return
    }
    const { proxy } = entrance
    if (proxy === null) {
      this.#enter(accepted, own, tlsServer)
      return
    }
    this.#pending.add(accepted)
    readProxyHeader(accepted, (verdict) => {
      this.#pending.remove(accepted)
      const addresses = this.#believed(verdict, own, proxy)
      if (addresses === null) accepted.destroy()
      else this.#enter(accepted, addresses, tlsServer)
    })
  }

  #unixPeer(path: string): PeerAddresses {
    return {
      remoteAddress: "unix",
      remotePort: ++this.#lastUnixPeer,
      localAddress: path,
      localPort: 0,
      isUnix: true,
    }
  }

  /** The addresses that count; null if the connection is refused. */
  #believed(
    verdict: ProxyVerdict,
    own: PeerAddresses,
    sources: TrustedSources,
  ): PeerAddresses | null {
    const isTrusted = sources.trusts(own.isUnix ? null : own.remoteAddress)
    const refuse = (reason: string): null => {
      this.#refused(own.remoteAddress, "PROXY protocol", reason)
      return null
    }
    switch (verdict.kind) {
      case "absent":
        return isTrusted ? refuse("a proxy must send a header first") : own
      case "invalid":
        return refuse(`the header cannot be read: ${verdict.reason}`)
      case "header": {
        if (!isTrusted) return refuse("the header is not from a trusted source")
        const { addresses, tls } = verdict
        if (addresses === null) return own
        return { ...addresses, isUnix: false, encryption: tls === null ? null : shownOnly(tls) }
      }
      case "incomplete":
        return refuse("the connection ended within the header")
      default:
        return verdict
    }
  }

  #enter(accepted: Socket, addresses: PeerAddresses, tlsServer: TlsServer | null): void {
    if (tlsServer === null) {
      this.#attach(accepted, addresses)
      return
    }
    this.#pending.add(accepted)
    this.#addresses.set(accepted, addresses)
    tlsServer.emit("connection", accepted)
  }

  // ---- TLS

  #createTlsServer(contexts: TlsContexts): TlsServer {
    const server = createTlsServer(contexts.serverOptions)
    contexts.attach(server)
    server.on("tlsClientError", (error, socket) => {
      const below = underlying(socket)
      if (below === null || !this.#pending.remove(below)) return
      const peer = this.#addresses.get(below)?.remoteAddress
      this.#refused(peer, "TLS handshake failed", error.message)
    })
    server.on("secureConnection", (socket) => this.#secured(socket, contexts))
    return server
  }

  #secured(socket: TLSSocket, contexts: TlsContexts): void {
    socket.on("error", () => {})
    const below = underlying(socket)
    const addresses = below === null ? undefined : this.#addresses.get(below)
    if (below === null || addresses === undefined || !this.#pending.remove(below)) {
      socket.destroy()
      return
    }
    const refusal = contexts.refusal(socket)
    if (refusal !== null) {
      this.#refused(addresses.remoteAddress, "TLS connection refused", refusal)
      socket.destroy()
      return
    }
    const encryption = encryptionOf(socket, contexts.isVerified(socket))
    setAddresses(socket, { ...addresses, encryption })
    if (!isConnected(socket)) {
      socket.destroy()
      return
    }
    const session = this.#options.accept(socket)
    socket.on("close", () => session.onClosed())
    socket.on("data", (bytes: Buffer) => session.onChunk(new Chunk(bytes), bytes.length))
  }

  #refused(peer: string | undefined, what: string, reason: string): void {
    this.#options.log.warn({ peer: peer ?? "", reason }, `${what}, connection closed`)
  }

  /** Stops accepting. Sockets that were handed on are not touched. */
  close(): void {
    for (const server of this.#servers) server.close()
    this.#servers.length = 0
    this.#pending.close()
  }
}

/** Interval and number of the probes are set by newer runtimes only, whose types do not say so yet. */
function setProbes(socket: Socket, { idle, interval, count }: KeepAlive): void {
  const setKeepAlive: unknown = Reflect.get(socket, "setKeepAlive")
  if (typeof setKeepAlive === "function" && setKeepAlive.length >= 4)
    Reflect.apply(setKeepAlive, socket, [true, idle * 1000, interval * 1000, count])
}

/** What was read behind a PROXY header. */
function readBuffered(socket: Socket): Buffer | null {
  const bytes: unknown = socket.readableLength === 0 ? null : socket.read()
  return bytes instanceof Buffer ? bytes : null
}

/** The proxy vouches for what it shows, but nobody logs in by it. */
function shownOnly({ protocol, cipher, commonName }: ProxyTlsFacts): Encryption {
  const certificate =
    commonName === null
      ? null
      : {
          isVerified: false,
          distinguishedName: `CN=${commonName}`,
          commonName,
          issuer: "",
          validity: "",
        }
  return { protocol, cipher, certificate }
}
