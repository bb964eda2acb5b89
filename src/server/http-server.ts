import type { IncomingMessage } from "node:http"
import { hostname } from "node:os"
import type { Duplex } from "node:stream"
import type { Administration } from "../broker/administration.ts"
import type { Broker } from "../broker/broker.ts"
import { VERSION } from "../config/version.ts"
import type { Listener, NodeFacts } from "../http/api.ts"
import type { HttpApp } from "../http/app.ts"
import type { AuditTrail } from "../http/audit.ts"
import { LazyApp, loadInTurns } from "../http/lazy-app.ts"
import { HttpListener, loadAdapter } from "../http/listener.ts"
import type { UnixListenOptions } from "../http/listener.ts"
import type { TlsContexts } from "../net/tls-contexts.ts"
import type { Metrics } from "../http/metrics/metrics.ts"
import type { LinkSet } from "../links/link-set.ts"
import { Statistics } from "../http/statistics.ts"
import type { WebSocketListener, WebSocketSession } from "../net/websocket-listener.ts"
import type { WebSocketTransport } from "../net/websocket-transport.ts"
import type { LogRing } from "../util/log-ring.ts"
import type { ListenerCertificate } from "./certificates.ts"
import { shownAddress } from "./listeners.ts"

/** Puts the management HTTP API together: statistics, route table, sockets. */
export interface HttpServerOptions {
  readonly broker: Broker
  readonly administration: Administration
  readonly dataDirectory: string | null
  freeDiskBytes(): number
  freeDiskMinBytes(): number
  readonly memory: NodeFacts["memory"]
  configuration(): Readonly<Record<string, unknown>>
  readonly logLevel: NodeFacts["logLevel"]
  readonly setLogLevel: NodeFacts["setLogLevel"]
  readonly metrics: () => Promise<Metrics>
  readonly links: LinkSet
  readonly logs: LogRing
  readonly audit: AuditTrail
  webSocketOrigins(): readonly string[]
  acceptWebSocket(transport: WebSocketTransport): WebSocketSession
  amqpListeners(): readonly Listener[]
  certificates(): readonly ListenerCertificate[]
}

export class HttpServer {
  readonly app: LazyApp
  port = 0
  /** As `127.0.0.1:15672`. */
  readonly addresses: string[] = []
  tlsPort = 0
  readonly tlsAddresses: string[] = []
  readonly unixPaths: string[] = []
  readonly #statistics: Statistics
  readonly #listener: HttpListener
  readonly #options: HttpServerOptions
  #webSockets: Promise<WebSocketListener> | null = null
  #isClosing = false
  readonly #listeners: Listener[] = []

  constructor(options: HttpServerOptions) {
    this.#options = options
    const { broker } = options
    const node = this.#nodeFacts(broker)
    this.#statistics = new Statistics(broker, broker.clock, node)
    this.app = new LazyApp(() => this.#makeApp(node), broker.log)
    this.#listener = new HttpListener(this.app, broker.log, (request, socket, head) => {
      void this.#upgrade(request, socket, head)
    })
  }

  #nodeFacts(broker: Broker): NodeFacts {
    const options = this.#options
    return {
      name: `sluice@${hostname()}`,
      version: VERSION,
      dataDirectory: options.dataDirectory,
      startedAtMs: broker.clock.nowMs,
      get freeDiskMinBytes() {
        return options.freeDiskMinBytes()
      },
      get maxConnections() {
        return broker.admission.maxConnections
      },
      freeDiskBytes: () => options.freeDiskBytes(),
      memory: options.memory,
      configuration: () => options.configuration(),
      logLevel: options.logLevel,
      setLogLevel: options.setLogLevel,
      listeners: () => [...options.amqpListeners(), ...this.#listeners],
      certificates: () => options.certificates(),
    }
  }

  async #makeApp(node: NodeFacts): Promise<HttpApp> {
    const { APP_PARTS } = await import("../http/app-parts.ts")
    await loadInTurns(this.#options.broker.clock, [...APP_PARTS, loadAdapter])
    const [{ createApp }, { addUi }, { Sessions }, { openUiAssets }, metrics] = await Promise.all([
      import("../http/app.ts"),
      import("../http/ui.ts"),
      import("../http/sessions.ts"),
      import("./ui-assets.ts"),
      this.#options.metrics(),
    ])
    const { broker, administration, logs, audit, links } = this.#options
    const sessions = new Sessions(broker.clock, broker.random)
    const statistics = this.#statistics
    const api = {
      broker,
      administration,
      statistics,
      sessions,
      node,
      logs,
      audit,
      metrics,
      links,
    }
    const app = createApp(api, broker.log)
    // The first request of all makes the router and much else.
    await loadInTurns(broker.clock, [
      () => addUi(app, openUiAssets),
      () => app.request("/api/auth"),
    ])
    return app
  }

  /** What the first request needs is there before it comes. Never rejects. */
  async load(): Promise<void> {
    try {
      await this.app.load()
    } catch {
      // It is in the log, and the answer of each request.
    }
  }

  /** What serves them is loaded by the first client that asks for one. */
  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    // The close that follows an error does all that must be done.
    socket.on("error", () => {})
    try {
      this.#webSockets ??= this.#makeWebSockets()
      const webSockets = await this.#webSockets
      if (this.#isClosing) socket.destroy()
      else webSockets.upgrade(request, socket, head)
    } catch (error) {
      this.#options.broker.log.error({ err: error }, "a WebSocket cannot be served")
      socket.destroy()
    }
  }

  async #makeWebSockets(): Promise<WebSocketListener> {
    const { WebSocketListener: Listening } = await import("../net/websocket-listener.ts")
    const { broker } = this.#options
    const { clock, log } = broker
    const allowedOrigins = (): readonly string[] => this.#options.webSocketOrigins()
    return new Listening({ clock, log, allowedOrigins }, (transport) =>
      this.#options.acceptWebSocket(transport),
    )
  }

  /** Rates begin to be sampled. */
  start(): void {
    this.#statistics.start()
  }

  /** Resolves with the port. Rejects with the system's error. */
  async listen(host: string, port: number): Promise<number> {
    this.#opened(await this.#listener.listen(host, port), null, host)
    return this.port
  }

  /** As listen(), behind TLS. */
  async listenTls(host: string, port: number, contexts: TlsContexts): Promise<number> {
    this.#opened(await this.#listener.listen(host, port, contexts), contexts, host)
    return this.tlsPort
  }

  /** On a socket that was opened by whoever has started the process. Rejects with the system's error. */
  async listenFd(fd: number, contexts: TlsContexts | null): Promise<void> {
    const bound = await this.#listener.listenFd(fd, contexts)
    if (typeof bound === "string") this.#openedUnix(bound)
    else this.#opened(bound.port, contexts, bound.address)
  }

  /** Requests need a login as all others. Rejects with UnixPathError. */
  async listenUnix(path: string, options: UnixListenOptions): Promise<void> {
    await this.#listener.listenUnix(path, options)
    this.#openedUnix(path)
  }

  #opened(port: number, contexts: TlsContexts | null, host: string): void {
    const protocol = contexts === null ? "http" : "https"
    if (contexts === null) this.port = port
    else this.tlsPort = port
    this.#listeners.push({ protocol, ip_address: host, port })
    const addresses = contexts === null ? this.addresses : this.tlsAddresses
    addresses.push(shownAddress(host, port))
  }

  #openedUnix(path: string): void {
    this.#listeners.push({ protocol: "http", ip_address: path, port: 0 })
    this.unixPaths.push(path)
  }

  /** Whoever may open the file is an administrator. Rejects with UnixPathError. */
  async listenControl(path: string, mode: number): Promise<void> {
    await this.#listener.listenUnix(path, { mode, isControl: true })
  }

  /** Resolves when all connections are gone; those over WebSocket are the broker's to close. */
  async close(): Promise<void> {
    this.#isClosing = true
    this.#statistics.stop()
    // Without them there is nothing to close.
    void this.#webSockets?.then(
      (webSockets) => webSockets.close(),
      () => {},
    )
    await this.#listener.close()
  }
}
