import { createHash } from "node:crypto"
import { hostname } from "node:os"
import type { Broker } from "../broker/broker.ts"
import { VERSION } from "../config/version.ts"
import type { NodeFacts } from "../http/api.ts"
import { LazyApp, loadInTurns } from "../http/lazy-app.ts"
import { HttpListener, loadAdapter } from "../http/listener.ts"
import type { MetricsFacts, StoreFigures } from "../http/metrics/figures.ts"
import type { LinkSet } from "../links/link-set.ts"
import type { Metrics } from "../http/metrics/metrics.ts"
import type { DiskCounts } from "../storage/counting-disk.ts"
import type { GroupCommit } from "../storage/group-commit.ts"
import type { OpenFiles } from "../storage/open-files.ts"
import type { BufferPool } from "../util/buffer-pool.ts"
import { listenOnAll } from "./listen-error.ts"
import { shownAddress } from "./listeners.ts"
import { ProcessMeter } from "./process-figures.ts"
import { StartError } from "./start-error.ts"

/** The metrics, and the listener on which Prometheus gets them without a login. */
export interface MetricsServerOptions {
  readonly broker: Broker
  readonly dataDirectory: string | null
  freeDiskBytes(): number
  freeDiskMinBytes(): number
  readonly memory: NodeFacts["memory"]
  readonly disk: DiskCounts
  readonly commit: GroupCommit
  readonly openFiles: OpenFiles
  readonly buffers: BufferPool
  links(): LinkSet | null
}

export interface MetricsListenOptions {
  /** Addresses to listen on. Default 127.0.0.1. */
  readonly host?: string | readonly string[]
  /** 0 takes a free port. Default 15692. */
  readonly port?: number
  /** A port that is in use is no reason not to start. Default false. */
  readonly isOptional?: boolean
}

export const METRICS_PORT = 15_692

const FLAGS = { port: "--metrics-http-port", bind: "--metrics-http-bind" }

export class MetricsServer {
  /** For tests: requests without a socket. */
  readonly app: LazyApp
  port = 0
  /** As `127.0.0.1:15692`. */
  readonly addresses: string[] = []
  readonly #broker: Broker
  readonly #meter: ProcessMeter
  readonly #listener: HttpListener
  readonly #facts: MetricsFacts
  #metrics: Promise<Metrics> | null = null

  constructor(options: MetricsServerOptions) {
    const { broker } = options
    this.#broker = broker
    this.#meter = new ProcessMeter(broker.clock)
    const name = `sluice@${hostname()}`
    this.#facts = {
      node: {
        name,
        version: VERSION,
        startedAtMs: broker.clock.nowMs,
        get freeDiskMinBytes() {
          return options.freeDiskMinBytes()
        },
        freeDiskBytes: () => options.freeDiskBytes(),
        memory: options.memory,
      },
      runtimeVersion: process.versions.node,
      clusterId: permanentId(`${name}:${options.dataDirectory ?? "memory"}`),
      readProcess: () => this.#meter.read(),
      readStore: () => storeFigures(options),
      links: () => options.links(),
    }
    this.app = new LazyApp(async () => {
      const { APP_PARTS } = await import("../http/app-parts.ts")
      await loadInTurns(broker.clock, [...APP_PARTS, loadAdapter])
      const { createMetricsApp } = await import("../http/metrics/app.ts")
      return createMetricsApp(broker, await this.load())
    }, broker.log)
    this.#listener = new HttpListener(this.app, broker.log, (_request, socket) => socket.destroy())
  }

  /** Loaded by the first who wants to see them. */
  load(): Promise<Metrics> {
    this.#metrics ??= this.#made()
    return this.#metrics
  }

  async #made(): Promise<Metrics> {
    const { Metrics: Made } = await import("../http/metrics/metrics.ts")
    return new Made(this.#broker, this.#facts)
  }

  /** What is counted over time begins to be counted. */
  start(): void {
    this.#meter.start()
  }

  /** Throws StartError. */
  async listen({
    host = "127.0.0.1",
    port = METRICS_PORT,
    isOptional = false,
  }: MetricsListenOptions): Promise<void> {
    try {
      await listenOnAll(host, port, FLAGS, async (address) => {
        const bound = await this.#listener.listen(address, port === 0 ? this.port : port)
        this.port = bound
        this.addresses.push(shownAddress(address, bound))
      })
    } catch (error) {
      if (!isOptional || !(error instanceof StartError)) throw error
      this.#broker.log.warn({ reason: error.message }, "there is no listener for metrics")
    }
  }

  async close(): Promise<void> {
    this.#meter.stop()
    await this.#listener.close()
  }
}

function storeFigures({ disk, commit, openFiles, buffers }: MetricsServerOptions): StoreFigures {
  return {
    readCount: disk.readCount,
    readBytes: disk.readBytes,
    writeCount: disk.writeCount,
    writtenBytes: disk.writtenBytes,
    syncCount: disk.syncCount,
    syncErrorCount: disk.syncErrorCount,
    syncMs: disk.syncMs,
    directorySyncCount: disk.directorySyncCount,
    commitRounds: commit.completedRound,
    openDataFiles: openFiles.count,
    bufferInUseBytes: buffers.inUseBytes,
    bufferKeptBytes: buffers.keptBytes,
  }
}

/** In the form of RabbitMQ's; the same as long as host and data directory are. */
function permanentId(text: string): string {
  return `rabbitmq-cluster-id-${createHash("sha256").update(text).digest("base64url").slice(0, 22)}`
}
