import type { AmqpClient } from "../client/client.ts"
import type { ClientConnection } from "../client/connection.ts"
import { ClientError, messageOf } from "../client/errors.ts"
import type { ConnectOptions } from "../client/options.ts"
import { Reconnector } from "../client/reconnector.ts"
import { parseUri } from "../client/uri.ts"
import type { Clock } from "../util/clock.ts"
import type { Logger } from "../util/logger.ts"
import type { Random } from "../util/random.ts"
import { redactText } from "../util/redact.ts"
import { isLocalUri } from "./link-uri.ts"
import type { LinkStatus } from "./link-status.ts"

/**
 * Keeps a link up: one attempt after the other, each with the connections that it needs, all of which
 * end together. What is done with the connections is the business of `setUp`; what a link moves it
 * does not know.
 */
export interface LinkEnvironment {
  /** Its dialer takes URIs without a host as this process. */
  readonly client: AmqpClient
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

export interface LinkConnectionOptions {
  readonly environment: LinkEnvironment
  readonly status: LinkStatus
  /** Shown by the management of both ends, and in the log. */
  readonly name: string
  /** 0: the first failure is the last. */
  readonly reconnectDelayMs: number
  /** Connects, declares, subscribes. What it throws, or gives to session.fail(), ends the attempt. */
  readonly setUp: (session: LinkSession) => Promise<void>
  /** A failure after which another attempt makes no sense. Default: none. */
  isFinal?(error: unknown): boolean
}

/** Part of the delay that is random, so that many links do not come back at once. */
const JITTER = 0.2
/** How long a connection may take to close politely. */
const CLOSE_MS = 5000

/** The connections of one attempt. They end together, once. */
export class LinkSession {
  readonly environment: LinkEnvironment
  readonly #name: string
  readonly #onEnded: (error: unknown) => void
  readonly #connections: ClientConnection[] = []
  readonly #cleanups: (() => void)[] = []
  #hasEnded = false

  constructor(environment: LinkEnvironment, name: string, onEnded: (error: unknown) => void) {
    this.environment = environment
    this.#name = name
    this.#onEnded = onEnded
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  /** Open and part of this session, or rejects. A URI without host and user acts as the internal user. */
  async connect(uri: string, overrides: ConnectOptions = {}): Promise<ClientConnection> {
    const options: ConnectOptions = {
      name: this.#name,
      ...parseUri(uri),
      ...(isLocalUri(uri) ? ({ mechanisms: ["EXTERNAL"], heartbeatSeconds: 0 } as const) : {}),
      ...overrides,
    }
    this.throwIfEnded()
    const { connection } = this.environment.client.start(options)
    this.#connections.push(connection)
    await connection.opened
    this.throwIfEnded()
    connection.onClosed = (error) =>
      this.fail(error ?? new ClientError("closed", "the connection is closed"))
    return connection
  }

  throwIfEnded(): void {
    if (this.#hasEnded) throw new ClientError("closed", "the link was stopped")
  }

  /** Runs when the session ends, however that comes about. */
  onEnd(cleanup: () => void): void {
    if (this.#hasEnded) cleanup()
    else this.#cleanups.push(cleanup)
  }

  /** Ends everything at once: what is unacknowledged goes back to the source. */
  fail(error: unknown): void {
    if (this.#hasEnded) return
    this.#end()
    for (const connection of this.#connections) connection.destroy()
    this.#onEnded(error)
  }

  /** Says goodbye first: what was acknowledged arrives. Resolves within bounded time, and reports nothing. */
  async close(): Promise<void> {
    if (this.#hasEnded) return
    this.#end()
    const timer = this.environment.clock.setTimer(CLOSE_MS, () => {
      for (const connection of this.#connections) connection.destroy()
    })
    await Promise.all(this.#connections.map((connection) => connection.close()))
    timer.cancel()
  }

  #end(): void {
    this.#hasEnded = true
    for (const cleanup of this.#cleanups.splice(0)) cleanup()
    for (const connection of this.#connections) connection.onClosed = null
  }
}

export class LinkConnection {
  readonly status: LinkStatus
  readonly #options: LinkConnectionOptions
  readonly #reconnector: Reconnector<LinkSession>
  /** Of the attempt at hand. */
  #session: LinkSession | null = null
  #isStopping = false
  #wasUp = false

  constructor(options: LinkConnectionOptions) {
    this.#options = options
    this.status = options.status
    const { environment, reconnectDelayMs: delayMs } = options
    this.#reconnector = new Reconnector<LinkSession>({
      clock: environment.clock,
      random: environment.random,
      connect: () => this.#attempt(),
      onUp: () => this.#up(),
      discard: (session) => void session.close(),
      onChange: () => this.#changed(),
      isRetryable: (error) => delayMs > 0 && options.isFinal?.(error) !== true,
      delayMs,
      delayMsMax: delayMs,
      jitter: JITTER,
    })
  }

  /** Null unless it is up. */
  get session(): LinkSession | null {
    return this.#reconnector.state === "up" ? this.#session : null
  }

  start(): void {
    this.#isStopping = false
    this.#reconnector.start()
  }

  /** Does not wait any longer. */
  retryNow(): void {
    this.#reconnector.retryNow()
  }

  /** Ends what is up, and does not come back until start(). The state is the caller's to set. */
  async stop(): Promise<void> {
    this.#isStopping = true
    this.#reconnector.stop()
    const session = this.#session
    this.#session = null
    this.status.connectedAtMs = null
    this.status.nextAttemptAtMs = null
    await session?.close()
  }

  async #attempt(): Promise<LinkSession> {
    const { environment, name, setUp } = this.#options
    const session = new LinkSession(environment, name, (error) => this.#ended(session, error))
    this.#session = session
    try {
      await setUp(session)
      session.throwIfEnded()
    } catch (error) {
      const first = this.#failures.get(session) ?? error
      session.fail(error)
      throw first
    }
    return session
  }

  /** Why sessions ended that were still being set up: the first reason is the one to be told. */
  readonly #failures = new WeakMap<LinkSession, unknown>()

  #ended(session: LinkSession, error: unknown): void {
    this.#failures.set(session, error)
    if (session === this.#session) this.#reconnector.lost(error)
  }

  #up(): void {
    const { status } = this
    const { clock, log } = this.#options.environment
    if (this.#wasUp) status.reconnectCount++
    this.#wasUp = true
    status.error = null
    status.connectedAtMs = clock.nowMs
    log.info({ link: this.#options.name }, "link is up")
  }

  #changed(): void {
    const { status } = this
    const { clock } = this.#options.environment
    const { state, lastError, nextAttemptAtMs } = this.#reconnector
    status.nextAttemptAtMs = nextAttemptAtMs
    if (state === "connecting") status.enter("starting", clock.nowMs)
    else if (state === "up") status.enter("running", clock.nowMs)
    else if (!this.#isStopping && lastError !== null) this.#failed(lastError, state === "waiting")
  }

  #failed(error: unknown, willRetry: boolean): void {
    const { status } = this
    const { environment, name } = this.#options
    status.error = redactText(messageOf(error))
    status.connectedAtMs = null
    status.enter(willRetry ? "error" : "terminated", environment.clock.nowMs)
    environment.log.warn({ link: name, error: status.error, willRetry }, "a link is down")
  }
}
