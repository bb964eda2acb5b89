import { hostname } from "node:os"
import type { Administration } from "../broker/administration.ts"
import type { Broker } from "../broker/broker.ts"
import { VERSION } from "../config/version.ts"
import type { Listener, NodeFacts } from "../http/api.ts"
import { createApp } from "../http/app.ts"
import type { HttpApp } from "../http/app.ts"
import type { AuditTrail } from "../http/audit.ts"
import { HttpListener } from "../http/listener.ts"
import type { UnixListenOptions } from "../http/listener.ts"
import type { TlsContexts } from "../net/tls-contexts.ts"
import type { Metrics } from "../http/metrics/metrics.ts"
import { Sessions } from "../http/sessions.ts"
import { Statistics } from "../http/statistics.ts"
import { WebSocketListener } from "../net/websocket-listener.ts"
import type { WebSocketSession } from "../net/websocket-listener.ts"
import type { WebSocketTransport } from "../net/websocket-transport.ts"
import { addUi } from "../http/ui.ts"
import type { LogRing } from "../util/log-ring.ts"
import type { ListenerCertificate } from "./certificates.ts"
import { shownAddress } from "./listeners.ts"
import { openUiAssets } from "./ui-assets.ts"

/** Puts the management HTTP API together: statistics, route table, sockets. */
export interface HttpServerOptions {
  readonly broker: Broker
  readonly administration: Administration
  readonly dataDirectory: string | null
  freeDiskBytes(): number
  freeDiskMinBytes(): number
  readonly memory: NodeFacts["memory"]
  configuration(): Readonly<Record<string, unknown>>
  readonly setLogLevel: NodeFacts["setLogLevel"]
  readonly metrics: Metrics
  readonly logs: LogRing
  readonly audit: AuditTrail
  readonly webSocketOrigins: readonly string[]
  acceptWebSocket(transport: WebSocketTransport): WebSocketSession
  amqpListeners(): readonly Listener[]
  certificates(): readonly ListenerCertificate[]
}

export class HttpServer {
  /** For tests: requests without a socket. */
  readonly app: HttpApp
  port = 0
  /** As `127.0.0.1:15672`. */
  readonly addresses: string[] = []
  tlsPort = 0
  readonly tlsAddresses: string[] = []
  readonly unixPaths: string[] = []
  readonly #statistics: Statistics
  readonly #listener: HttpListener
  readonly #webSockets: WebSocketListener
  readonly #listeners: Listener[] = []

  constructor(options: HttpServerOptions) {
    const { broker, administration } = options
    const { clock, log } = broker
    const node = {
      name: `sluice@${hostname()}`,
      version: VERSION,
      dataDirectory: options.dataDirectory,
      startedAtMs: clock.nowMs,
      get freeDiskMinBytes() {
        return options.freeDiskMinBytes()
      },
      get maxConnections() {
        return broker.admission.maxConnections
      },
      freeDiskBytes: () => options.freeDiskBytes(),
      memory: options.memory,
      configuration: () => options.configuration(),
      setLogLevel: options.setLogLevel,
      listeners: () => [...options.amqpListeners(), ...this.#listeners],
      certificates: () => options.certificates(),
    }
    this.#statistics = new Statistics(broker, clock, node)
    const sessions = new Sessions(clock, broker.random)
    const { logs, audit } = options
    const statistics = this.#statistics
    const { metrics } = options
    const api = { broker, administration, statistics, sessions, node, logs, audit, metrics }
    this.app = createApp(api, log)
    addUi(this.app, openUiAssets)
    this.#webSockets = new WebSocketListener(
      { clock, log, allowedOrigins: options.webSocketOrigins },
      (transport) => options.acceptWebSocket(transport),
    )
    this.#listener = new HttpListener(this.app, log, (request, socket, head) =>
      this.#webSockets.upgrade(request, socket, head),
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

  /** For connections from then on. */
  set webSocketOrigins(origins: readonly string[]) {
    this.#webSockets.allowedOrigins = origins
  }

  /** Resolves when all connections are gone; those over WebSocket are the broker's to close. */
  async close(): Promise<void> {
    this.#statistics.stop()
    this.#webSockets.close()
    await this.#listener.close()
  }
}
