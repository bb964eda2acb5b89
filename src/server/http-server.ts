import { hostname } from "node:os"
import type { Administration } from "../broker/administration.ts"
import type { Broker } from "../broker/broker.ts"
import { VERSION } from "../config/version.ts"
import type { Listener } from "../http/api.ts"
import { createApp } from "../http/app.ts"
import type { HttpApp } from "../http/app.ts"
import { HttpListener } from "../http/listener.ts"
import { Statistics } from "../http/statistics.ts"

/** Puts the management HTTP API together: statistics, route table, sockets. */
export interface HttpServerOptions {
  readonly broker: Broker
  readonly administration: Administration
  readonly dataDirectory: string | null
  freeDiskBytes(): number
  freeDiskMinBytes(): number
  amqpListeners(): readonly Listener[]
}

export class HttpServer {
  /** For tests: requests without a socket. */
  readonly app: HttpApp
  port = 0
  /** As `127.0.0.1:15672`. */
  readonly addresses: string[] = []
  readonly #statistics: Statistics
  readonly #listener: HttpListener
  readonly #listeners: Listener[] = []

  constructor(options: HttpServerOptions) {
    const { broker, administration } = options
    const { clock, log } = broker
    this.#statistics = new Statistics(broker, clock)
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
      listeners: () => [...options.amqpListeners(), ...this.#listeners],
    }
    const api = { broker, administration, statistics: this.#statistics, node }
    this.app = createApp(api, clock, log)
    this.#listener = new HttpListener(this.app)
  }

  /** Rates begin to be sampled. */
  start(): void {
    this.#statistics.start()
  }

  /** Resolves with the port. Rejects with the system's error. */
  async listen(host: string, port: number): Promise<number> {
    this.port = await this.#listener.listen(host, port)
    this.#listeners.push({ protocol: "http", ip_address: host, port: this.port })
    this.addresses.push(`${host.includes(":") ? `[${host}]` : host}:${String(this.port)}`)
    return this.port
  }

  async close(): Promise<void> {
    this.#statistics.stop()
    await this.#listener.close()
  }
}
