import type { getRequestListener, Http2Bindings, HttpBindings } from "@hono/node-server"
import type { IncomingMessage, Server } from "node:http"
import { createRequire } from "node:module"
import type { AddressInfo } from "node:net"
import type { Duplex } from "node:stream"
import { createHttpServer } from "../net/http-server.ts"
import type { Encrypting, RequestListener } from "../net/http-server.ts"
import type { TlsContexts } from "../net/tls-contexts.ts"
import { listenOnUnixPath } from "../net/unix-path.ts"
import type { Logger } from "../util/logger.ts"
import type { AppBindings } from "./app.ts"
import type { ServedApp } from "./lazy-app.ts"

/** The sockets of the HTTP API. Bounded in time and size, so that slow and greedy clients cost little. */
export interface HttpLimits {
  readonly headersMs: number
  readonly requestMs: number
  /** How often the connections are looked at. */
  readonly checkMs: number
  /** Of each address, without WebSockets. */
  readonly connectionsMax: number
}

const LIMITS: HttpLimits = {
  headersMs: 10_000,
  requestMs: 120_000,
  checkMs: 5000,
  connectionsMax: 2000,
}
const KEEP_ALIVE_MS = 65_000
const HEADERS_SIZE_MAX = 16 << 10

const require = createRequire(import.meta.url)

export interface UnixListenOptions {
  /** Of the file, such as 0o666. */
  readonly mode: number
  /** Requests need no login: they are those of a hidden administrator. */
  readonly isControl?: boolean
}

/** Between the runtime's requests and those of `fetch`. Its import as a module would load all of that, too. */
export function loadAdapter(): { readonly getRequestListener: typeof getRequestListener } {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The type of the package of that name.
  return require("@hono/node-server") as ReturnType<typeof loadAdapter>
}

/** Takes over the socket of a request that asks for a WebSocket. */
export type WebSocketHandler = (request: IncomingMessage, socket: Duplex, head: Buffer) => void

/** Who asks, as far as the socket tells. */
type Peer = (env: HttpBindings | Http2Bindings) => AppBindings["Bindings"]

export class HttpListener {
  readonly #servers: Server[] = []
  readonly #app: ServedApp
  readonly #log: Logger
  readonly #webSocket: WebSocketHandler

  readonly #limits: HttpLimits

  /** Paths that are not below /api/ can be asked for a WebSocket. */
  constructor(app: ServedApp, log: Logger, webSocket: WebSocketHandler, limits = LIMITS) {
    this.#app = app
    this.#limits = limits
    this.#log = log
    this.#webSocket = webSocket
  }

  /** Resolves with the port. Rejects with the system's error. Port 0 takes a free one. */
  async listen(host: string, port: number, tls: TlsContexts | null = null): Promise<number> {
    const address = await this.#listenOn({ host, port, ipv6Only: host.includes(":") }, tls)
    if (typeof address === "string") throw new Error("an HTTP server has an address and a port")
    return address.port
  }

  /** On a socket that was opened by whoever has started the process: its address, or path. */
  listenFd(fd: number, tls: TlsContexts | null): Promise<AddressInfo | string> {
    return this.#listenOn({ fd }, tls)
  }

  #listenOn(
    where: { readonly fd: number } | { host: string; port: number; ipv6Only: boolean },
    tls: TlsContexts | null,
  ): Promise<AddressInfo | string> {
    let isUnix = false
    const server = this.#createServer((env) => (isUnix ? { peer: null } : peerOf(env)), tls)
    server.on("upgrade", (request, socket, head) => this.#upgrade(server, request, socket, head))
    return new Promise((resolve, reject) => {
      server.once("error", reject)
      server.listen(where, () => {
        server.off("error", reject)
        this.#opened(server)
        const address = server.address() ?? ""
        isUnix = typeof address === "string"
        resolve(address)
      })
    })
  }

  /** Rejects with UnixPathError. The file is removed by close(). */
  async listenUnix(path: string, { mode, isControl = false }: UnixListenOptions): Promise<void> {
    const server = this.#createServer(() => ({ peer: null, isControl }))
    await listenOnUnixPath(server, path, mode)
    this.#opened(server)
  }

  /** The one place where an HTTP server is made. */
  #createServer(peer: Peer, tls: TlsContexts | null = null): Server {
    const options = {
      headersTimeout: this.#limits.headersMs,
      requestTimeout: this.#limits.requestMs,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: this.#limits.checkMs,
      maxHeaderSize: HEADERS_SIZE_MAX,
      shouldUpgradeCallback: wantsWebSocket,
    }
    const server = createHttpServer(
      options,
      this.#requestListener(peer),
      tls === null ? null : this.#encrypting(tls),
    )
    server.maxConnections = this.#limits.connectionsMax
    // One is turned away, but who only keeps connections keeps nobody out: its client may try again.
    server.on("drop", () => server.closeIdleConnections())
    return server
  }

  /** The adapter is loaded with the first request, if load() has not been called before. */
  #requestListener(peer: Peer): RequestListener {
    let listener: ReturnType<typeof getRequestListener> | null = null
    return (incoming, outgoing) => {
      listener ??= loadAdapter().getRequestListener(
        (request, env) => this.#app.fetch(request, peer(env)),
        { overrideGlobalObjects: false },
      )
      void listener(incoming, outgoing)
    }
  }

  #encrypting(contexts: TlsContexts): Encrypting {
    return {
      contexts,
      onRefused: (peer, reason) => {
        this.#log.warn({ peer, reason }, "TLS connection to the HTTP API refused")
      },
    }
  }

  /** A WebSocket is not one of the connections that are counted here: the broker has a limit of its own. */
  #upgrade(server: Server, request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (!wantsWebSocket(request)) {
      serveWithoutUpgrade(server, request, socket, head)
      return
    }
    server.maxConnections++
    socket.once("close", () => server.maxConnections--)
    this.#webSocket(request, socket, head)
  }

  #opened(server: Server): void {
    // What goes wrong later concerns one client, not the listener.
    server.on("error", () => {})
    this.#servers.push(server)
  }

  /** Ends at once what is under way. Resolves when the WebSockets are gone, too, which somebody else ends. */
  async close(): Promise<void> {
    const servers = this.#servers.splice(0)
    await Promise.all(
      servers.map(
        (server) =>
          new Promise<void>((resolve) => {
            server.close(() => resolve())
            server.closeAllConnections()
          }),
      ),
    )
  }
}

function wantsWebSocket({ headers, url = "" }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === "websocket" && !/^\/api(?:\/|\?|$)/.test(url)
}

/**
 * Clients may offer another protocol (Java's offers HTTP/2 with its first request) and expect an ordinary
 * answer from a server that does not know it. Where WebSockets are served, a runtime before Node 24.9, which
 * has no shouldUpgradeCallback, hands over all such requests: so this one is read once more, without the offer.
 */
function serveWithoutUpgrade(
  server: Server,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  const lines = [`${request.method ?? "GET"} ${request.url ?? "/"} HTTP/${request.httpVersion}`]
  const { rawHeaders } = request
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const [name = "", value = ""] = rawHeaders.slice(i, i + 2)
    if (/^(?:upgrade|http2-settings)$/i.test(name)) continue
    if (/^connection$/i.test(name)) lines.push(`Connection: ${withoutUpgrade(value)}`)
    else lines.push(`${name}: ${value}`)
  }
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"), head]))
  server.emit("encrypted" in socket ? "secureConnection" : "connection", socket)
}

function withoutUpgrade(connection: string): string {
  const kept = connection
    .split(",")
    .map((token) => token.trim())
    .filter((token) => !/^(?:upgrade|http2-settings)$/i.test(token))
  return kept.length === 0 ? "keep-alive" : kept.join(", ")
}

/** One that has gone meanwhile has no address, and must not be taken for one on a Unix socket. */
function peerOf({ incoming }: HttpBindings | Http2Bindings): AppBindings["Bindings"] {
  return { peer: incoming.socket.remoteAddress ?? "" }
}
