import { resolve } from "node:path"
import { AuthError } from "../auth/errors.ts"
import { UserStore } from "../auth/users.ts"
import { Administration } from "../broker/administration.ts"
import { Broker } from "../broker/broker.ts"
import { Refusal } from "../broker/errors.ts"
import { UserLimits } from "../broker/limits.ts"
import { Parameters } from "../broker/parameters.ts"
import { Turn } from "../broker/turn.ts"
import { uniqueClusterName } from "./cluster-name.ts"
import type { Writable } from "../broker/turn.ts"
import type { DeclareMismatch } from "../broker/vhost-context.ts"
import { VERSION } from "../config/version.ts"
import { UnixPathError } from "../net/unix-path.ts"
import { Connection } from "../session/connection.ts"
import type { CertificateName, SessionOptions } from "../session/session-options.ts"
import { OutboxPool } from "../session/outbox.ts"
import type { Transport } from "../session/transport.ts"
import { openDataDirectory } from "../storage/data-directory.ts"
import type { DataDirectory } from "../storage/data-directory.ts"
import type { Disk } from "../storage/disk.ts"
import { StorageError } from "../storage/disk.ts"
import { FreeSpaceMonitor } from "../storage/free-space.ts"
import { CountingDisk } from "../storage/counting-disk.ts"
import { GroupCommit } from "../storage/group-commit.ts"
import type { RoundFailure } from "../storage/round-failure.ts"
import { JsonStore } from "../storage/json-store.ts"
import { MemoryDisk } from "../storage/memory-disk.ts"
import { NodeDisk } from "../storage/node-disk.ts"
import { OpenFiles } from "../storage/open-files.ts"
import { StreamCache } from "../storage/stream/stream-cache.ts"
import { BufferPool } from "../util/buffer-pool.ts"
import type { Clock, TimerHandle } from "../util/clock.ts"
import { SystemClock } from "../util/clock.ts"
import type { Logger } from "../util/logger.ts"
import { systemRandom } from "../util/random.ts"
import type { Random } from "../util/random.ts"
import type { LinkSet } from "../links/link-set.ts"
import type { HttpServer } from "./http-server.ts"
import { Certificates } from "./certificates.ts"
import { openHttpListeners } from "./http-listeners.ts"
import type { HttpListenOptions } from "./http-listeners.ts"
import { Listeners } from "./listeners.ts"
import type { AmqpListenOptions } from "./listeners.ts"
import type { MetricsListenOptions, MetricsServer } from "./metrics-server.ts"
import { MemoryMonitor } from "./memory-monitor.ts"
import type { MemorySource } from "./memory-monitor.ts"
import { ProcessMemory } from "./process-memory.ts"
import { AuditLog } from "./audit-log.ts"
import { LogExchange } from "./log-exchange.ts"
import { BrokerLog } from "./logging.ts"
import type { LogLevel } from "./logging.ts"
import { SettingsDocument } from "./settings-document.ts"
import { StartError } from "./start-error.ts"
import type { StorageContext } from "./vhost-storage.ts"
import { Vhosts } from "./vhosts.ts"

/**
 * Puts a broker together and takes it apart again. The entry of the library: several brokers may run
 * in one process, none has global state, and close() leaves no handle behind.
 */
export interface BrokerStartOptions {
  /** Directory of everything that survives a restart. Without it, all is kept in memory. */
  readonly dataDirectory?: string
  readonly amqp?: AmqpListenOptions
  /** The management HTTP API. Default: none. */
  readonly http?: HttpListenOptions | null
  /** The metrics for Prometheus without a login. Default: none; the HTTP API has them, too. */
  readonly metrics?: MetricsListenOptions | null
  /** Which name of a client's certificate is the user that logs in by it (EXTERNAL). Default common_name. */
  readonly certificateLoginFrom?: CertificateName
  /**
   * A Unix socket on which whoever may open it is an administrator without a login, for sluicectl: its path
   * and who may open it. Default: none.
   */
  readonly control?: { readonly path: string; readonly mode: number } | null
  /** False: confirms do not wait for fdatasync. Default true. */
  readonly sync?: boolean
  readonly logLevel?: LogLevel | "none"
  /** Where the log goes instead of standard error. */
  readonly logFile?: string
  /** A pino-compatible logger. Default: silent without `logLevel`, standard error with it. */
  readonly logger?: Logger
  /**
   * The log is published to the exchanges amq.rabbitmq.log and amq.lavinmq.log of the vhost /, severity as
   * routing key. Default false.
   */
  readonly logExchange?: boolean
  /** False: administrative changes are recorded in memory only. Default true. */
  readonly auditLog?: boolean
  /** Default 10 MiB. */
  readonly auditLogMaxBytes?: number
  /** With the one that is written to. Default 5. */
  readonly auditLogFiles?: number
  /** Publishing stops when the disk has less than this. Default 0: three segments. */
  readonly freeDiskMinBytes?: number
  /**
   * Publishing stops while the process uses more memory: a part of all memory up to 1, or bytes. Default 0,
   * no limit: most of the memory may be that of the program around the broker.
   */
  readonly memoryHighWatermark?: number
  /** Failed logins are answered later and later. Default true. */
  readonly loginThrottling?: boolean
  /**
   * Web pages that may connect over WebSocket, on the port of the HTTP API: `same-host`, `*` or origins such
   * as `https://app.example.com`. Default `same-host`.
   */
  readonly websocketAllowedOrigins?: readonly string[]
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
  /** Connections that have not logged in yet, or are closing; each costs some 10 KiB. Default 10,000. */
  readonly maxHandshakes?: number
  /** Default 0: no limit. */
  readonly maxConsumersPerChannel?: number
  /** How long a consumer may keep a delivery, for queues that do not say. Default 30 minutes; 0 is no limit. */
  readonly consumerTimeoutMs?: number
  /** Default 8 MiB. */
  readonly segmentSizeBytes?: number
  /** Whether a redeclaration with other arguments is refused (strict, the default) or let pass (adopt). */
  readonly declareMismatch?: DeclareMismatch
  /**
   * File with definitions that are imported at each start before the broker listens; what exists stays as
   * it is. With it neither the default user nor the default vhost is made.
   */
  readonly loadDefinitions?: string
  /** Administrator that is made when there are no users yet. Default guest. */
  readonly defaultUser?: string
  /** Base64 of salt and SHA-256. Default: of the password guest. */
  readonly defaultPasswordHash?: string
  /** The default user may log in from this machine only. Default true. */
  readonly defaultUserLoopbackOnly?: boolean
  /** Options by `section.key`, to be shown to administrators. */
  readonly configuration?: Readonly<Record<string, unknown>>
  /** For tests: the doors to time, chance and files. */
  readonly clock?: Clock
  readonly random?: Random
  readonly disk?: Disk
  readonly memory?: MemorySource
}

/** What reconfigure() can change. */
export type ReloadableOptions = Pick<
  BrokerStartOptions,
  | "amqp"
  | "http"
  | "certificateLoginFrom"
  | "logLevel"
  | "logFile"
  | "auditLog"
  | "auditLogMaxBytes"
  | "auditLogFiles"
  | "freeDiskMinBytes"
  | "memoryHighWatermark"
  | "loginThrottling"
  | "websocketAllowedOrigins"
  | "maxMessageSizeBytes"
  | "heartbeatSeconds"
  | "frameMaxBytes"
  | "channelMax"
  | "maxConnections"
  | "maxConsumersPerChannel"
  | "consumerTimeoutMs"
  | "defaultUserLoopbackOnly"
  | "configuration"
>

export { StartError }

const TICK_MS = 500
const DISK_FULL_CODES: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT"])
/** How long clients have to answer connection.close at shutdown. */
const SHUTDOWN_CLIENTS_MS = 5000

const DEFAULTS = {
  maxMessageSize: 128 << 20,
  heartbeatSeconds: 60,
  auditLogBytes: 10 << 20,
  auditLogFiles: 5,
  frameMax: 131_072,
  channelMax: 2047,
  maxHandshakes: 10_000,
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
  readonly dataDirectory: string | null
  /** Vhosts, queues and connections, for tests and later the management. */
  readonly broker: Broker
  /** Users, permissions, vhosts and limits, to be changed at run time. */
  readonly administration: Administration
  /** Who changed what. */
  readonly audit: AuditLog
  /** The management HTTP API; null without one. */
  http: HttpServer | null = null
  /** The metrics; null without them and without the HTTP API. */
  metrics: MetricsServer | null = null
  readonly #options: BrokerStartOptions
  readonly #log: BrokerLog
  readonly #clock: Clock
  readonly #disk: CountingDisk
  readonly #commit: GroupCommit
  readonly #openFiles: OpenFiles
  readonly #stores: StorageContext
  readonly #vhosts: Vhosts
  readonly #users: UserStore
  readonly #listeners: Listeners
  readonly #certificates: Certificates
  readonly #freeSpace: FreeSpaceMonitor
  readonly #memory: MemoryMonitor
  readonly #failedWritables = new Set<Writable>()
  /** Read by connections as they need it, so a change reaches them. */
  readonly #session: { -readonly [K in keyof SessionOptions]: SessionOptions[K] }
  readonly #outboxPool = new OutboxPool()
  #isDiskLow = false
  #configuration: Readonly<Record<string, unknown>>
  #webSocketOrigins: readonly string[]
  #isStarted = false
  #lastConnectionId = 0
  #directory: DataDirectory | null = null
  #links: LinkSet | null = null
  #ticker: TimerHandle | null = null
  #closing: Promise<void> | null = null

  constructor(options: BrokerStartOptions) {
    this.#options = options
    this.#configuration = options.configuration ?? {}
    this.#webSocketOrigins = options.websocketAllowedOrigins ?? ["same-host"]
    this.#clock = options.clock ?? new SystemClock()
    this.dataDirectory = options.dataDirectory === undefined ? null : resolve(options.dataDirectory)
    const random = options.random ?? systemRandom
    const isInMemory = this.dataDirectory === null
    const disk = options.disk ?? (isInMemory ? new MemoryDisk() : new NodeDisk())
    this.#disk = new CountingDisk(disk, this.#clock)
    const { logLevel, logFile: file, logger } = options
    const level = logLevel === undefined ? undefined : levelOf(logLevel)
    this.#log = new BrokerLog({ clock: this.#clock, level, file, logger })
    this.audit = this.#auditLog()
    this.#openFiles = new OpenFiles(this.#disk)
    this.#commit = new GroupCommit(this.#disk, this.#openFiles, {
      sync: (options.sync ?? true) && !(isInMemory && options.disk === undefined),
    })
    const turn = new Turn(this.#clock, this.#commit, (writable) => this.#writeFailed(writable))
    this.#users = this.#userStore(random)
    this.broker = new Broker({
      failedWriteCount: () => this.#failedWritables.size,
      clock: this.#clock,
      random,
      log: this.#log,
      turn,
      users: this.#users,
      userLimits: new UserLimits(this.#document("user_limits.json", "object")),
      globalParameters: new Parameters(this.#document("parameters.json", "list")),
      clusterName: "sluice",
      uniqueClusterName: uniqueClusterName(this.dataDirectory, random),
      maxConnections: options.maxConnections ?? 0,
    })
    this.#commit.onComplete = (round, failure) => this.#roundCompleted(round, failure)
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
    this.#session = sessionOptions(options)
    this.#certificates = new Certificates(this.#clock, this.#log)
    this.#listeners = new Listeners(
      {
        accept: (socket) => this.#accept(socket),
        clock: this.#clock,
        log: this.#log,
        certificates: this.#certificates,
      },
      options.amqp ?? {},
    )
    this.#freeSpace = this.#freeSpaceMonitor()
    this.#memory = this.#memoryMonitor()
    this.broker.logins.throttle.isOn = options.loginThrottling ?? true
  }

  #memoryMonitor(): MemoryMonitor {
    const { memory = new ProcessMemory(), memoryHighWatermark: highWatermark = 0 } = this.#options
    const onChange = (isLow: boolean): void => this.#memoryChanged(isLow)
    return new MemoryMonitor({ clock: this.#clock, source: memory, highWatermark, onChange })
  }

  #freeSpaceMonitor(): FreeSpaceMonitor {
    return new FreeSpaceMonitor({
      disk: this.#disk,
      clock: this.#clock,
      path: this.#root,
      minBytes: this.#freeDiskMin(this.#options.freeDiskMinBytes ?? 0),
      onChange: (isLow) => this.#diskChanged(isLow),
    })
  }

  #auditLog(): AuditLog {
    const { auditLog = true, auditLogMaxBytes, auditLogFiles } = this.#options
    const audit = new AuditLog({
      disk: this.#disk,
      path: this.dataDirectory === null ? null : `${this.dataDirectory}/audit.log`,
      clock: this.#clock,
      log: this.#log,
      maxBytes: auditLogMaxBytes ?? DEFAULTS.auditLogBytes,
      fileCount: auditLogFiles ?? DEFAULTS.auditLogFiles,
    })
    audit.isWriting = auditLog
    return audit
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

  /** `127.0.0.1:5672`, `[::1]:5672` */
  get addresses(): readonly string[] {
    return this.#listeners.addresses
  }

  get amqpPort(): number {
    return this.#listeners.port
  }

  get amqpTlsPort(): number {
    return this.#listeners.tlsPort
  }

  async open(): Promise<void> {
    this.#directory = openDataDirectory(this.#disk, this.#root, this.#commit)
    const { loadDefinitions: definitions } = this.#options
    const makesDefaults = definitions === undefined
    await this.#users.load(makesDefaults)
    for (const problem of this.#users.problems) this.#log.error({ problem }, "users.json")
    this.broker.userLimits.load()
    this.broker.globalParameters.load()
    await this.#vhosts.load(makesDefaults)
    if (definitions !== undefined) {
      await this.#makeLinks() // They check the parameters that are theirs.
      const { loadDefinitions } = await import("./load-definitions.ts")
      // The file is on the disk also where the rest is kept in memory.
      const disk = this.#options.disk ?? new NodeDisk()
      await loadDefinitions(disk, resolve(definitions), this)
    }
    new LogExchange(this.broker, this.#log.ring, this.#options.logExchange ?? false).start()
    this.#freeSpace.start()
    this.#memory.start()
    await this.#listeners.open()
    await this.#makeLinks()
    await this.#openMetrics()
    await this.#openHttp()
    this.#links?.links.start()
    this.#certificates.start()
    this.#logStart()
    this.#tick()
  }

  #logStart(): void {
    this.#isStarted = true
    const { addresses: amqp, dataDirectory } = this
    const http = this.http?.addresses ?? []
    const metrics = this.metrics?.addresses ?? []
    let queues = 0
    let messages = 0
    for (const vhost of this.broker.vhosts.values()) {
      queues += vhost.queues.size
      for (const { readyCount } of vhost.queues.values()) messages += readyCount
    }
    const found = { vhosts: this.broker.vhosts.size, queues, messages }
    const where = { dataDirectory, amqp, http, metrics }
    this.#log.info({ version: VERSION, ...where, ...found }, "broker started")
  }

  /** Loaded on demand, as the HTTP API: an embedded broker without them starts faster. */
  async #openMetrics(): Promise<void> {
    const { http = null, control = null, metrics = null } = this.#options
    if (http === null && control === null && metrics === null) return
    const { MetricsServer } = await import("./metrics-server.ts")
    const { buffers } = this.#stores
    const server = new MetricsServer({
      broker: this.broker,
      dataDirectory: this.dataDirectory,
      freeDiskBytes: () => this.#freeSpace.freeBytes,
      freeDiskMinBytes: () => this.#freeSpace.minBytes,
      memory: this.#memory,
      disk: this.#disk,
      commit: this.#commit,
      openFiles: this.#openFiles,
      buffers,
      links: () => this.#links,
    })
    this.metrics = server
    server.start()
    if (metrics !== null) await server.listen(metrics)
  }

  async #openHttp(): Promise<void> {
    const { http = null, control = null } = this.#options
    const { metrics } = this
    if (metrics === null || (http === null && control === null)) return
    // The runtime makes all of its fetch with it, in one piece of some 15 ms: it is part of the start, not of a request.
    Reflect.get(globalThis, "Response")
    const { HttpServer } = await import("./http-server.ts")
    const server = new HttpServer({
      configuration: () => this.#configuration,
      logLevel: () => nameOf(this.#log.level),
      setLogLevel: (level) => {
        this.#log.level = levelOf(level)
      },
      broker: this.broker,
      administration: this.administration,
      dataDirectory: this.dataDirectory,
      freeDiskBytes: () => this.#freeSpace.freeBytes,
      freeDiskMinBytes: () => this.#freeSpace.minBytes,
      memory: this.#memory,
      metrics: () => metrics.load(),
      links: this.#links!,
      webSocketOrigins: () => this.#webSocketOrigins,
      acceptWebSocket: (transport) => this.#accept(transport),
      amqpListeners: () => this.#listeners.facts,
      certificates: () => this.#certificates.list,
      logs: this.#log.ring,
      audit: this.audit,
    })
    this.http = server
    server.start()
    if (control !== null) await this.#openControl(server, control)
    if (http === null) return
    await openHttpListeners(server, http, this.#certificates.open("https", http.tls))
    // Clients of AMQP are served meanwhile. Without an address its first request loads it.
    this.#clock.setImmediate(() => void server.load())
  }

  /** A broker without it serves its clients all the same. */
  async #openControl(
    server: HttpServer,
    { path, mode }: { readonly path: string; readonly mode: number },
  ): Promise<void> {
    try {
      await server.listenControl(path, mode)
    } catch (error) {
      if (!(error instanceof UnixPathError)) throw error
      this.#log.warn(
        { reason: error.message },
        "there is no control socket: sluicectl needs --uri and credentials",
      )
    }
  }

  /** Shovels and federation; null before they are made. */
  get links(): LinkSet | null {
    return this.#links
  }

  async #makeLinks(): Promise<void> {
    if (this.#links !== null) return
    const { createLinks } = await import("./links.ts")
    const { broker } = this
    this.#links = createLinks({ broker, accept: (transport) => this.#accept(transport) })
  }

  #accept(transport: Transport): Connection {
    const { broker } = this
    const id = ++this.#lastConnectionId
    const connection = new Connection(id, broker, transport, this.#outboxPool, this.#session)
    const startingCount = broker.connections.size - broker.admission.connectionCount
    const max = this.#options.maxHandshakes ?? DEFAULTS.maxHandshakes
    if (startingCount <= max) return connection
    this.#log.warn({ max }, "too many connections have not logged in yet: new ones are closed")
    connection.destroy()
    return connection
  }

  /**
   * Changes what is given; the rest stays. Limits hold at once, what is negotiated with a client for
   * connections from then on, the consumer timeout for channels.
   */
  reconfigure(options: ReloadableOptions): void {
    this.#configuration = options.configuration ?? this.#configuration
    const session = this.#session
    session.maxMessageSize = options.maxMessageSizeBytes ?? session.maxMessageSize
    session.heartbeatSeconds = options.heartbeatSeconds ?? session.heartbeatSeconds
    session.frameMax = options.frameMaxBytes ?? session.frameMax
    session.channelMax = options.channelMax ?? session.channelMax
    session.maxConsumersPerChannel =
      options.maxConsumersPerChannel ?? session.maxConsumersPerChannel
    session.consumerTimeoutMs = options.consumerTimeoutMs ?? session.consumerTimeoutMs
    session.certificateLoginFrom = options.certificateLoginFrom ?? session.certificateLoginFrom
    this.#listeners.reconfigure(options.amqp ?? {})
    if (options.http !== undefined) this.#certificates.replace("https", options.http?.tls)
    const { admission } = this.broker
    admission.maxConnections = options.maxConnections ?? admission.maxConnections
    const isLoopbackOnly = options.defaultUserLoopbackOnly ?? this.#users.defaultUserLoopbackOnly
    this.#users.defaultUserLoopbackOnly = isLoopbackOnly
    if (options.logLevel !== undefined) this.#log.level = levelOf(options.logLevel)
    if (options.logFile !== undefined) this.#log.reopen(options.logFile)
    if (options.auditLog !== undefined) this.audit.isWriting = options.auditLog
    this.audit.maxBytes = options.auditLogMaxBytes ?? this.audit.maxBytes
    this.audit.fileCount = options.auditLogFiles ?? this.audit.fileCount
    this.#webSocketOrigins = options.websocketAllowedOrigins ?? this.#webSocketOrigins
    const { throttle } = this.broker.logins
    throttle.isOn = options.loginThrottling ?? throttle.isOn
    this.#memory.highWatermark = options.memoryHighWatermark ?? this.#memory.highWatermark
    if (options.freeDiskMinBytes === undefined) return
    this.#freeSpace.minBytes = this.#freeDiskMin(options.freeDiskMinBytes)
    this.#freeSpace.check()
  }

  // ---- disk

  #roundCompleted(round: number, failure: RoundFailure | null): void {
    if (failure?.isNew === true)
      this.#log.error({ err: failure }, "a sync failed: what waited for these files is refused")
    this.broker.commitRoundCompleted(round, failure)
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

  #memoryChanged(isLow: boolean): void {
    const { usedBytes, limitBytes } = this.#memory
    this.#log.warn({ usedBytes, limitBytes }, isLow ? "memory is low" : "memory is back")
    this.broker.setAlarm("memory", isLow)
  }

  /** A full disk concerns everybody; any other failure the one store that has it. */
  #updateAlarm(): void {
    let isFull = this.#isDiskLow
    for (const { lastError } of this.#failedWritables)
      if (lastError !== null && DISK_FULL_CODES.has(lastError.code)) isFull = true
    this.broker.setAlarm("disk", isFull)
  }

  #retryFailed(): void {
    for (const writable of this.#failedWritables) {
      writable.write()
      if (!writable.failed) this.#failedWritables.delete(writable)
    }
    if (this.#failedWritables.size === 0) this.broker.turn.markSession(this.broker.settledMoves)
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
    this.#log.ring.close() // Who follows the log would keep the HTTP API open.
    this.#listeners.close()
    this.#certificates.close()
    const httpClosed = this.http?.close()
    this.broker.logins.throttle.close()
    this.#freeSpace.stop()
    this.#memory.stop()
    await Promise.all([this.#links?.links.close(), this.#links?.jobs.close()])
    for (const session of this.broker.connections) session.forceClose(reason)
    this.broker.turn.run()
    await Promise.all([this.#clientsGone(), this.#vhosts.settled()])
    this.#ticker?.cancel()
    this.broker.timers.close()
    for (const session of this.broker.connections) session.destroy()
    await httpClosed // WebSockets are connections of its port.
    await this.metrics?.close()
    this.broker.turn.run()
    // What was moved is settled where it came from, now that it is safe where it went.
    await this.#commit.drain()
    this.broker.settledMoves.close()
    this.broker.turn.run()
    this.#vhosts.close()
    this.#commit.request()
    await this.#commit.drain()
    this.#openFiles.closeAll()
    this.audit.close()
    this.#directory?.release()
    if (this.#isStarted) this.#log.info({ reason }, "broker stopped")
    this.#log.close()
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

function nameOf(level: LogLevel): Exclude<LogLevel, "silent"> | "none" {
  return level === "silent" ? "none" : level
}

function sessionOptions(options: BrokerStartOptions): SessionOptions {
  return {
    frameMax: options.frameMaxBytes ?? DEFAULTS.frameMax,
    channelMax: options.channelMax ?? DEFAULTS.channelMax,
    maxConsumersPerChannel: options.maxConsumersPerChannel ?? 0,
    consumerTimeoutMs: options.consumerTimeoutMs ?? DEFAULTS.consumerTimeoutMs,
    heartbeatSeconds: options.heartbeatSeconds ?? DEFAULTS.heartbeatSeconds,
    maxMessageSize: options.maxMessageSizeBytes ?? DEFAULTS.maxMessageSize,
    certificateLoginFrom: options.certificateLoginFrom ?? "common_name",
    productVersion: VERSION,
  }
}
