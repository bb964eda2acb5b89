import { Logins } from "../auth/logins.ts"
import { Permissions } from "../auth/permissions.ts"
import type { UserStore } from "../auth/users.ts"
import type { Clock } from "../util/clock.ts"
import type { Logger } from "../util/logger.ts"
import type { Random } from "../util/random.ts"
import { TimerWheel } from "../util/timer-wheel.ts"
import { Admission } from "./admission.ts"
import { Alarms } from "./alarms.ts"
import type { AlarmResource } from "./alarms.ts"
import type { ConnectionHandle } from "./connection-handle.ts"
import { DurableChanges } from "./durable-changes.ts"
import type { RoundWaiter } from "./durable-changes.ts"
import { ClosedChannels } from "./inspection.ts"
import type { InspectedConnection } from "./inspection.ts"
import type { UserLimits } from "./limits.ts"
import { GLOBAL_COMPONENT } from "./parameters.ts"
import type { Parameters } from "./parameters.ts"
import { MessageCounters } from "./message-counters.ts"
import type { MessageQueue } from "./queue/message-queue.ts"
import { SettledMoves } from "./settled-moves.ts"
import type { CommitFailure } from "./commit-scope.ts"
import type { Turn, TurnSession } from "./turn.ts"
import type { Vhost } from "./vhost.ts"
import { VhostTotals } from "./vhost-totals.ts"

/**
 * The broker as sessions and the management see it: vhosts, users, connections, alarms. Puts nothing
 * together: server/start-broker.ts does.
 */

/** Connections that closeConnections() closes at one time, 0.1 ms each. */
const CLOSED_PER_TURN = 32

export type UnackedVisit = (
  segment: number,
  position: number,
  size: number,
  deliveryTag: number,
  consumerTag: string,
  channel: number,
) => boolean

/** A connection, with what the broker tells it. Implemented by session/connection.ts. */
export interface BrokerSession extends ConnectionHandle, TurnSession, RoundWaiter {
  /** Null until it is open. */
  readonly vhost: Vhost | null
  /** The same object each time. */
  readonly inspected: InspectedConnection
  notifyBlocked(reason: string): void
  alarmEnded(): void
  tick(nowMs: number): void
  /**
   * Visits the deliveries from the queue that wait for an acknowledgement, by channel and tag, until
   * `visit` returns false; then it returns false, too. Slow: for the management.
   */
  forEachUnacked(queue: MessageQueue, visit: UnackedVisit): boolean
  /** What is unacknowledged of the queue goes back to it. The client may still settle it, without effect. */
  returnDeliveries(queue: MessageQueue): void
  destroy(): void
}

export interface BrokerOptions {
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly turn: Turn
  readonly users: UserStore
  readonly userLimits: UserLimits
  readonly globalParameters: Parameters
  readonly clusterName: string
  /** By which other brokers tell this one apart as long as nobody has named it. Default: clusterName. */
  readonly uniqueClusterName?: string
  /** Default 0: no limit. */
  readonly maxConnections?: number
  /** Stores and logs whose last write to the disk has failed. */
  readonly failedWriteCount?: () => number
}

export class Broker {
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly turn: Turn
  readonly users: UserStore
  /** Name and password of every protocol. */
  readonly logins: Logins
  readonly userLimits: UserLimits
  /** Who may still connect. */
  readonly admission: Admission
  readonly globalParameters: Parameters
  /** Everything that waits for a time, in all vhosts. */
  readonly timers: TimerWheel
  /** Messages that were moved and are settled at their source when the copies are safe. */
  readonly settledMoves: SettledMoves
  readonly permissions = new Permissions()
  readonly clusterName: string
  readonly #uniqueClusterName: string
  /** What can be connected to. Only server/vhosts.ts changes it. */
  readonly vhosts = new Map<string, Vhost>()
  readonly connections = new Set<BrokerSession>()
  /** With a reply or confirm that waits for a commit round. */
  readonly sessionsWaiting = new Set<RoundWaiter>()
  /** For changes by the management that must be safe before they are answered. */
  readonly durableChanges: DurableChanges
  readonly closedChannels = new ClosedChannels()
  /** What had passed through connections that are gone. */
  readonly closedOctets = { receivedBytes: 0, sentBytes: 0 }
  readonly messageCounters: MessageCounters
  /** What vhosts had counted that are gone. */
  readonly deletedVhosts = new VhostTotals()
  /** Called when the last connection has gone. */
  onLastConnectionGone: () => void = () => {}
  /** For what lives in vhosts and is not a part of them (links): one was made; it is among `vhosts`. */
  onVhostAdded: (vhost: Vhost) => void = () => {}
  /** One is being deleted and is no longer among `vhosts`; its connections are closed afterwards. */
  onVhostDeleted: (vhost: Vhost) => Promise<void> = () => Promise.resolve()
  readonly alarms = new Alarms()
  /** Of the alarms: why publishes are refused or held up at present; null if they are not. */
  alarmReason: string | null = null
  readonly #failedWriteCount: () => number

  constructor(options: BrokerOptions) {
    this.clock = options.clock
    this.#failedWriteCount = options.failedWriteCount ?? (() => 0)
    this.random = options.random
    this.log = options.log
    this.turn = options.turn
    this.users = options.users
    this.logins = new Logins(options.users, options.clock, options.log)
    this.userLimits = options.userLimits
    this.admission = new Admission(options.maxConnections ?? 0)
    this.globalParameters = options.globalParameters
    this.timers = new TimerWheel(options.clock)
    this.messageCounters = new MessageCounters(options.clock)
    this.durableChanges = new DurableChanges(options.turn, this.sessionsWaiting)
    this.settledMoves = new SettledMoves(options.turn, () => this.failedWriteCount > 0)
    this.clusterName = options.clusterName
    this.#uniqueClusterName = options.uniqueClusterName ?? options.clusterName
  }

  /** As other brokers are told it: what operators have set, else a unique one. */
  get announcedClusterName(): string {
    const name = this.globalParameters.get(GLOBAL_COMPONENT, "cluster_name")?.value
    return typeof name === "string" ? name : this.#uniqueClusterName
  }

  /** By protocol, since the start; for the metrics. */
  get authAttempts(): Logins["attempts"] {
    return this.logins.attempts
  }

  connectionGone(session: BrokerSession): void {
    if (this.connections.delete(session)) {
      this.closedOctets.receivedBytes += session.inspected.receivedBytes
      this.closedOctets.sentBytes += session.inspected.sentBytes
    }
    if (this.connections.size === 0) this.onLastConnectionGone()
  }

  /**
   * Closes those with 320 and the reason, some at a time, between the turns: each gives back what it
   * holds. Resolves when all have been told. One that comes later is not among them.
   */
  closeConnections(
    isConcerned: (session: BrokerSession) => boolean,
    reason: string,
  ): Promise<void> {
    const sessions = [...this.connections].filter(isConcerned)
    return new Promise((done) => {
      const closeSome = (): void => {
        for (const session of sessions.splice(-CLOSED_PER_TURN)) session.forceClose(reason)
        if (sessions.length === 0) done()
        else this.clock.setImmediate(closeSome)
      }
      closeSome()
    })
  }

  /** Stores and logs of definitions that cannot be written at present. */
  get failedWriteCount(): number {
    return this.#failedWriteCount()
  }

  /** Everything that sessions derived from topology, permissions and alarms is void. */
  invalidateRoutes(): void {
    for (const vhost of this.vhosts.values()) vhost.generation++
  }

  commitRoundCompleted(round: number, failure: CommitFailure | null): void {
    this.clock.refresh()
    this.settledMoves.roundCompleted(round, failure)
    for (const session of this.sessionsWaiting)
      if (!session.roundCompleted(round, failure)) this.sessionsWaiting.delete(session)
    this.turn.run()
  }

  /** Raises the alarm or ends it. Clients hear when the first begins to matter to them and when the last ends. */
  setAlarm(resource: AlarmResource, isRaised: boolean): void {
    const { alarms, log } = this
    if (!alarms.set(resource, isRaised)) return
    const isFirst = this.alarmReason === null
    this.alarmReason = alarms.reason
    if (isRaised) log.error({ resource }, "alarm: publishing is refused or blocked until it ends")
    else if (this.alarmReason === null) log.info({ resource }, "alarm ended: publishing goes on")
    else log.info({ resource, reason: this.alarmReason }, "alarm ended, another one goes on")
    if (!isFirst && this.alarmReason !== null) return
    this.invalidateRoutes()
    if (this.alarmReason !== null) return
    for (const session of this.connections) session.alarmEnded()
  }
}
