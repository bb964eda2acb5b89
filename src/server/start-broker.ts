import { resolve } from "node:path"
import { AuthError } from "../auth/errors.ts"
import { UserStore } from "../auth/users.ts"
import { Administration } from "../broker/administration.ts"
import { Broker } from "../broker/broker.ts"
import { Refusal } from "../broker/errors.ts"
import { UserLimits } from "../broker/limits.ts"
import { Parameters } from "../broker/parameters.ts"
import { Turn } from "../broker/turn.ts"
import type { Writable } from "../broker/turn.ts"
import type { DeclareMismatch } from "../broker/vhost-context.ts"
import { VERSION } from "../config/version.ts"
import { TcpListener } from "../net/tcp-listener.ts"
import type { SocketSession } from "../net/tcp-listener.ts"
import type { ConnectedSocket } from "../net/socket-transport.ts"
import { Connection } from "../session/connection.ts"
import type { SessionOptions } from "../session/session-options.ts"
import { OutboxPool } from "../session/outbox.ts"
import { openDataDirectory } from "../storage/data-directory.ts"
import type { DataDirectory } from "../storage/data-directory.ts"
import type { Disk } from "../storage/disk.ts"
import { StorageError } from "../storage/disk.ts"
import { FreeSpaceMonitor } from "../storage/free-space.ts"
import { GroupCommit } from "../storage/group-commit.ts"
import { JsonStore } from "../storage/json-store.ts"
import { MemoryDisk } from "../storage/memory-disk.ts"
import { NodeDisk } from "../storage/node-disk.ts"
import { OpenFiles } from "../storage/open-files.ts"
import { StreamCache } from "../storage/stream/stream-cache.ts"
import { BufferPool } from "../util/buffer-pool.ts"
import type { Clock, TimerHandle } from "../util/clock.ts"
import { SystemClock } from "../util/clock.ts"
import type { Logger } from "../util/logger.ts"
import { silentLogger } from "../util/logger.ts"
import { systemRandom } from "../util/random.ts"
import type { Random } from "../util/random.ts"
import type { HttpServer } from "./http-server.ts"
import { createLogger } from "./logging.ts"
import type { LeveledLogger, LogLevel } from "./logging.ts"
import { SettingsDocument } from "./settings-document.ts"
import type { StorageContext } from "./vhost-storage.ts"
import { Vhosts } from "./vhosts.ts"

/**
 * Puts a broker together and takes it apart again. The entry of the library: several brokers may run
 * in one process, none has global state, and close() leaves no handle behind.
 */
export interface BrokerStartOptions {
  /** Directory of everything that survives a restart. Without it, all is kept in memory. */
  readonly dataDirectory?: string
  readonly amqp?: {
    /** Addresses to listen on. Default 127.0.0.1. */
    readonly host?: string | readonly string[]
    /** 0 takes a free port. Default 5672. */
    readonly port?: number
  }
  /** The management HTTP API. Default: none. */
  readonly http?: {
    /** Addresses to listen on. Default 127.0.0.1. */
    readonly host?: string | readonly string[]
    /** 0 takes a free port. Default 15672. */
    readonly port?: number
  } | null
  /** False: confirms do not wait for fdatasync. Default true. */
  readonly sync?: boolean
  readonly logLevel?: LogLevel | "none"
  /** A pino-compatible logger. Default: silent without `logLevel`, standard error with it. */
  readonly logger?: Logger
  /** Publishing stops when the disk has less than this. Default 0: three segments. */
  readonly freeDiskMinBytes?: number
  /** Default 128 MiB. */
  readonly maxMessageSizeBytes?: number
  /** Offered to clients. Default 60; 0 is off. */
  readonly heartbeatSeconds?: number
  /** Default 131072. */
  readonly frameMaxBytes?: number
  /** Default 2047. */
  readonly channelMax?: number
  /** Connections that may be open at one time. Default 0: no limit. */
  readonly maxConnections?: number
  /** Default 0: no limit. */
  readonly maxConsumersPerChannel?: number
  /** How long a consumer may keep a delivery, for queues that do not say. Default 30 minutes; 0 is no limit. */
  readonly consumerTimeoutMs?: number
  /** Default 8 MiB. */
  readonly segmentSizeBytes?: number
  /** Whether a redeclaration with other arguments is refused (strict, the default) or let pass (adopt). */
  readonly declareMismatch?: DeclareMismatch
  /** Administrator that is made when there are no users yet. Default guest. */
  readonly defaultUser?: string
  /** Base64 of salt and SHA-256. Default: of the password guest. */
  readonly defaultPasswordHash?: string
  /** The default user may log in from this machine only. Default true. */
  readonly defaultUserLoopbackOnly?: boolean
  /** For tests: the doors to time, chance and files. */
  readonly clock?: Clock
  readonly random?: Random
  readonly disk?: Disk
}

/** What reconfigure() can change. */
export type ReloadableOptions = Pick<
  BrokerStartOptions,
  | "logLevel"
  | "freeDiskMinBytes"
  | "maxMessageSizeBytes"
  | "heartbeatSeconds"
  | "frameMaxBytes"
  | "channelMax"
  | "maxConnections"
  | "maxConsumersPerChannel"
  | "consumerTimeoutMs"
  | "defaultUserLoopbackOnly"
>

/** The broker could not start; the message says in one line what to do about it. */
export class StartError extends Error {
  override readonly name = "StartError"
}

const TICK_MS = 500
const DISK_FULL_CODES: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT"])
/** How long clients have to answer connection.close at shutdown. */
const SHUTDOWN_CLIENTS_MS = 5000

const DEFAULTS = {
  port: 5672,
  httpPort: 15_672,
  maxMessageSize: 128 << 20,
  heartbeatSeconds: 60,
  frameMax: 131_072,
  channelMax: 2047,
  consumerTimeoutMs: 1_800_000,
  segmentSizeBytes: 8 << 20,
}

export async function startBroker(options: BrokerStartOptions = {}): Promise<RunningBroker> {
  const broker = new RunningBroker(options)
  try {
    await broker.open()
  } catch (error) {
    await broker.close()
    if (error instanceof StorageError || error instanceof AuthError || error instanceof Refusal)
      throw new StartError(error.message, { cause: error })
    throw error
  }
  return broker
}

export class RunningBroker {
  /** `127.0.0.1:5672`, `[::1]:5672` */
  readonly addresses: string[] = []
  readonly dataDirectory: string | null
  /** Vhosts, queues and connections, for tests and later the management. */
  readonly broker: Broker
  /** Users, permissions, vhosts and limits, to be changed at run time. */
  readonly administration: Administration
  amqpPort = 0
  /** The management HTTP API; null without one. */
  http: HttpServer | null = null
  readonly #options: BrokerStartOptions
  readonly #log: Logger
  /** Null if the embedder has given one, or wants none. */
  readonly #ownLog: LeveledLogger | null = null
  readonly #clock: Clock
  readonly #disk: Disk
  readonly #commit: GroupCommit
  readonly #openFiles: OpenFiles
  readonly #stores: StorageContext
  readonly #vhosts: Vhosts
  readonly #users: UserStore
  readonly #listener: TcpListener
  readonly #freeSpace: FreeSpaceMonitor
  readonly #failedWritables = new Set<Writable>()
  /** Read by connections as they need it, so a change reaches them. */
  readonly #session: { -readonly [K in keyof SessionOptions]: SessionOptions[K] }
  readonly #outboxPool = new OutboxPool()
  readonly #amqpHosts: string[] = []
  #isDiskLow = false
  #lastConnectionId = 0
  #directory: DataDirectory | null = null
  #ticker: TimerHandle | null = null
  #closing: Promise<void> | null = null

  constructor(options: BrokerStartOptions) {
    this.#options = options
    if (options.logger === undefined && options.logLevel !== undefined)
      this.#ownLog = createLogger(levelOf(options.logLevel))
    this.#log = options.logger ?? this.#ownLog ?? silentLogger
    this.#clock = options.clock ?? new SystemClock()
    this.dataDirectory = options.dataDirectory === undefined ? null : resolve(options.dataDirectory)
    const random = options.random ?? systemRandom
    const isInMemory = this.dataDirectory === null
    this.#disk = options.disk ?? (isInMemory ? new MemoryDisk() : new NodeDisk())
    this.#openFiles = new OpenFiles(this.#disk)
    this.#commit = new GroupCommit(this.#disk, this.#openFiles, {
      sync: (options.sync ?? true) && !(isInMemory && options.disk === undefined),
    })
    const turn = new Turn(this.#clock, this.#commit, (writable) => this.#writeFailed(writable))
    this.#users = this.#userStore(random)
    this.broker = new Broker({
      hasFailedWrites: () => this.#failedWritables.size > 0,
      clock: this.#clock,
      random,
      log: this.#log,
      turn,
      users: this.#users,
      userLimits: new UserLimits(this.#document("user_limits.json", "object")),
      globalParameters: new Parameters(this.#document("parameters.json", "list")),
      clusterName: "sluice",
      maxConnections: options.maxConnections ?? 0,
    })
    this.#commit.onComplete = (round, error) => this.#roundCompleted(round, error)
    const buffers = new BufferPool()
    this.#stores = {
      disk: this.#disk,
      openFiles: this.#openFiles,
      commit: this.#commit,
      buffers,
      streamCache: new StreamCache(buffers),
      declareMismatch: options.declareMismatch ?? "strict",
      segmentSizeBytes: options.segmentSizeBytes ?? DEFAULTS.segmentSizeBytes,
      clock: this.#clock,
      log: this.#log,
      markDirty: (store) => turn.markWritable(store),
    }
    this.#vhosts = new Vhosts({ root: this.#root, broker: this.broker, stores: this.#stores })
    this.administration = new Administration(this.broker, this.#vhosts)
    this.#session = {
      frameMax: options.frameMaxBytes ?? DEFAULTS.frameMax,
      channelMax: options.channelMax ?? DEFAULTS.channelMax,
      maxConsumersPerChannel: options.maxConsumersPerChannel ?? 0,
      consumerTimeoutMs: options.consumerTimeoutMs ?? DEFAULTS.consumerTimeoutMs,
      heartbeatSeconds: options.heartbeatSeconds ?? DEFAULTS.heartbeatSeconds,
      maxMessageSize: options.maxMessageSizeBytes ?? DEFAULTS.maxMessageSize,
      productVersion: VERSION,
    }
    this.#listener = new TcpListener((socket) => this.#accept(socket))
    this.#freeSpace = new FreeSpaceMonitor({
      disk: this.#disk,
      clock: this.#clock,
      path: this.#root,
      minBytes: this.#freeDiskMin(options.freeDiskMinBytes ?? 0),
      onChange: (isLow) => this.#diskChanged(isLow),
    })
  }

  #userStore(random: Random): UserStore {
    const { defaultUser, defaultPasswordHash, defaultUserLoopbackOnly } = this.#options
    return new UserStore({
      document: new JsonStore(this.#disk, `${this.#root}/users.json`),
      random,
      ...(defaultUser !== undefined && { defaultUser }),
      ...(defaultPasswordHash !== undefined && { defaultPasswordHash }),
      ...(defaultUserLoopbackOnly !== undefined && { defaultUserLoopbackOnly }),
      onChanged: () => this.broker.invalidateRoutes(),
    })
  }

  /** Never less than some segments: what is confirmed must still be written. */
  #freeDiskMin(bytes: number): number {
    return Math.max(bytes, 3 * this.#stores.segmentSizeBytes)
  }

  #document(name: string, shape: "list" | "object"): SettingsDocument {
    return new SettingsDocument(this.#disk, `${this.#root}/${name}`, shape, this.#log)
  }

  get #root(): string {
    return this.dataDirectory ?? "/memory"
  }

  async open(): Promise<void> {
    this.#directory = openDataDirectory(this.#disk, this.#root, this.#commit)
    await this.#users.load()
    for (const problem of this.#users.problems) this.#log.error({ problem }, "users.json")
    this.broker.userLimits.load()
    this.broker.globalParameters.load()
    await this.#vhosts.load()
    this.#freeSpace.start()
    await this.#listen()
    await this.#openHttp()
    this.#tick()
  }

  async #listen(): Promise<void> {
    const { host = "127.0.0.1", port = DEFAULTS.port } = this.#options.amqp ?? {}
    await listenOnAll(host, "--amqp-port", "--bind", port, async (address) => {
      // A free port is chosen once and used for all addresses.
      const bound = await this.#listener.listen(address, port === 0 ? this.amqpPort : port)
      this.amqpPort = bound.port
      this.#amqpHosts.push(address)
      this.addresses.push(
        address.includes(":") ? `[${address}]:${bound.port}` : `${address}:${bound.port}`,
      )
    })
  }

  /** Loaded on demand: an embedded broker without it starts faster. */
  async #openHttp(): Promise<void> {
    const { http } = this.#options
    if (http === undefined || http === null) return
    const { HttpServer } = await import("./http-server.ts")
    const server = new HttpServer({
      broker: this.broker,
      administration: this.administration,
      dataDirectory: this.dataDirectory,
      freeDiskBytes: () => this.#freeSpace.freeBytes,
      freeDiskMinBytes: () => this.#freeSpace.minBytes,
      amqpListeners: () =>
        this.#amqpHosts.map((host) => ({
          protocol: "amqp",
          ip_address: host,
          port: this.amqpPort,
        })),
    })
    this.http = server
    server.start()
    const { host = "127.0.0.1", port = DEFAULTS.httpPort } = http
    await listenOnAll(host, "--http-port", "--http-bind", port, async (address) => {
      await server.listen(address, port === 0 ? server.port : port)
    })
  }

  #accept(socket: ConnectedSocket): SocketSession {
    return new Connection(
      ++this.#lastConnectionId,
      this.broker,
      socket,
      this.#outboxPool,
      this.#session,
    )
  }

  /**
   * Changes what is given; the rest stays. Limits hold at once, what is negotiated with a client for
   * connections from then on, the consumer timeout for channels.
   */
  reconfigure(options: ReloadableOptions): void {
    const session = this.#session
    session.maxMessageSize = options.maxMessageSizeBytes ?? session.maxMessageSize
    session.heartbeatSeconds = options.heartbeatSeconds ?? session.heartbeatSeconds
    session.frameMax = options.frameMaxBytes ?? session.frameMax
    session.channelMax = options.channelMax ?? session.channelMax
    session.maxConsumersPerChannel =
      options.maxConsumersPerChannel ?? session.maxConsumersPerChannel
    session.consumerTimeoutMs = options.consumerTimeoutMs ?? session.consumerTimeoutMs
    const { admission } = this.broker
    admission.maxConnections = options.maxConnections ?? admission.maxConnections
    const isLoopbackOnly = options.defaultUserLoopbackOnly ?? this.#users.defaultUserLoopbackOnly
    this.#users.defaultUserLoopbackOnly = isLoopbackOnly
    if (options.logLevel !== undefined && this.#ownLog !== null)
      this.#ownLog.level = levelOf(options.logLevel)
    if (options.freeDiskMinBytes === undefined) return
    this.#freeSpace.minBytes = this.#freeDiskMin(options.freeDiskMinBytes)
    this.#freeSpace.check()
  }

  // ---- disk

  #roundCompleted(round: number, error: Error | null): void {
    if (error !== null)
      this.#log.error({ err: error }, "fdatasync failed: waiting confirms are refused")
    this.broker.commitRoundCompleted(round, error)
  }

  #writeFailed(writable: Writable): void {
    this.#failedWritables.add(writable)
    this.#freeSpace.check()
    this.#updateAlarm()
  }

  #diskChanged(isLow: boolean): void {
    this.#isDiskLow = isLow
    this.#updateAlarm()
  }

  /** A full disk concerns everybody; any other failure the one store that has it. */
  #updateAlarm(): void {
    let isFull = this.#isDiskLow
    for (const { lastError } of this.#failedWritables)
      if (lastError !== null && DISK_FULL_CODES.has(lastError.code)) isFull = true
    this.broker.setAlarm(isFull ? "low on disk" : null)
  }

  #retryFailed(): void {
    for (const writable of this.#failedWritables) {
      writable.write()
      if (!writable.failed) this.#failedWritables.delete(writable)
    }
    this.broker.turn.schedule() // What they have written is to be synced.
    this.#updateAlarm()
  }

  // ---- time

  #tick(): void {
    this.#ticker = this.#clock.setTimer(TICK_MS, () => this.#tick())
    this.#clock.refresh()
    const { nowMs } = this.#clock
    for (const session of this.broker.connections) session.tick(nowMs)
    this.#vhosts.tick()
    this.#stores.buffers.sweep()
    if (this.#failedWritables.size > 0) this.#retryFailed()
  }

  // ---- shutdown

  /** Closes connections with 320, writes everything to disk and frees all handles. */
  close(reason = "broker shutdown"): Promise<void> {
    this.#closing ??= this.#close(reason)
    return this.#closing
  }

  async #close(reason: string): Promise<void> {
    this.#listener.close()
    await this.http?.close()
    this.#freeSpace.stop()
    for (const session of this.broker.connections) session.forceClose(reason)
    this.broker.turn.run()
    await Promise.all([this.#clientsGone(), this.#vhosts.settled()])
    this.#ticker?.cancel()
    this.broker.timers.close()
    for (const session of this.broker.connections) session.destroy()
    this.broker.turn.run()
    // What was moved is settled where it came from, now that it is safe where it went.
    await this.#commit.drain()
    this.broker.settledMoves.close()
    this.broker.turn.run()
    this.#vhosts.close()
    this.#commit.request()
    await this.#commit.drain()
    this.#openFiles.closeAll()
    this.#directory?.release()
  }

  /** Resolves when all clients have answered and gone, or have had their time. */
  #clientsGone(): Promise<void> {
    if (this.broker.connections.size === 0) return Promise.resolve()
    return new Promise((done) => {
      const timeout = this.#clock.setTimer(SHUTDOWN_CLIENTS_MS, done)
      this.broker.onLastConnectionGone = () => {
        timeout.cancel()
        done()
      }
    })
  }
}

function levelOf(level: LogLevel | "none"): LogLevel {
  return level === "none" ? "silent" : level
}

function errorCode(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error)
}

/** Throws StartError, which names the flags to use. */
async function listenOnAll(
  host: string | readonly string[],
  portFlag: string,
  bindFlag: string,
  port: number,
  listen: (address: string) => Promise<void>,
): Promise<void> {
  const hosts = typeof host === "string" ? [host] : host
  for (const [index, address] of hosts.entries()) {
    try {
      await listen(address)
    } catch (error) {
      // Machines without IPv6 are common: its loopback is given up if it is not the only address.
      const code = errorCode(error)
      const isMissingFamily = code === "EADDRNOTAVAIL" || code === "EAFNOSUPPORT"
      if (isMissingFamily && address === "::1" && index > 0) continue
      const failure = listenFailure(address, port, code, portFlag, bindFlag)
      throw new StartError(failure, { cause: error })
    }
  }
}

function listenFailure(
  address: string,
  port: number,
  code: string,
  portFlag: string,
  bindFlag: string,
): string {
  switch (code) {
    case "EADDRINUSE":
      return `port ${port} on ${address} is already in use: stop the other program or choose a port with ${portFlag}`
    case "EACCES":
      return `no permission to listen on port ${port} of ${address}: choose a port above 1023`
    case "EADDRNOTAVAIL":
      return `${address} is no address of this machine: see ${bindFlag}`
    default:
      return `cannot listen on ${address} port ${port}: ${code}`
  }
}
