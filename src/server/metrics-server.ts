import { createHash } from "node:crypto"
import { hostname } from "node:os"
import type { Broker } from "../broker/broker.ts"
import { VERSION } from "../config/version.ts"
import type { NodeFacts } from "../http/api.ts"
import { HttpListener } from "../http/listener.ts"
import { createMetricsApp } from "../http/metrics/app.ts"
import type { StoreFigures } from "../http/metrics/figures.ts"
import { Metrics } from "../http/metrics/metrics.ts"
import type { HttpApp } from "../http/app.ts"
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
  readonly metrics: Metrics
  /** For tests: requests without a socket. */
  readonly app: HttpApp
  port = 0
  /** As `127.0.0.1:15692`. */
  readonly addresses: string[] = []
  readonly #broker: Broker
  readonly #meter: ProcessMeter
  readonly #listener: HttpListener

  constructor(options: MetricsServerOptions) {
    const { broker } = options
    this.#broker = broker
    this.#meter = new ProcessMeter(broker.clock)
    const name = `sluice@${hostname()}`
    this.metrics = new Metrics(broker, {
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
    })
    this.app = createMetricsApp(broker, this.metrics)
    this.#listener = new HttpListener(this.app, broker.log, (_request, socket) => socket.destroy())
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
