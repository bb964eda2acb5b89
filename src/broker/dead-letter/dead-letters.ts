import type { BasicProperties } from "../../amqp/properties.ts"
import { IncomingMessage, type StoredMessage } from "../../storage/message.ts"
import type { Clock } from "../../util/clock.ts"
import type { Logger } from "../../util/logger.ts"
import { CommitScopes } from "../commit-scope.ts"
import type { CommitScope } from "../commit-scope.ts"
import type { Exchange } from "../exchange/exchange.ts"
import { PUBLISH_REFUSED, PUBLISH_UNROUTABLE } from "../publishing.ts"
import type { MessageQueue } from "../queue/message-queue.ts"
import type { MovedFrom, SettledMoves } from "../settled-moves.ts"
import { DeadLetterCopy, type DeadLetterAddress, type DeathStamp } from "./dead-letter-copy.ts"
import { isCycle, type DeathReason } from "./deaths.ts"

/**
 * Moves dead messages of a vhost's queues to their dead letter exchanges: copies the message, finds the
 * queues, leaves out those that would make a cycle, and says what is to happen to the original. One
 * per vhost. When a message is dead is its queue's business; how a death is written down, deaths.ts's.
 *
 * A move never loses a message that was safe: if the copy is to survive a restart, the original is
 * settled only after the commit round that covers the copy. A crash between the two leaves both.
 *
 * No recursion: while a message is on its way (`isMoving`), the queue that takes it leaves what follows
 * from it (limits, expiry) to the end of the turn. So a chain of dead letters goes one hop a turn.
 */

/** The original is to be settled: its copies are where they belong, or nobody wanted one. */
export const MOVED = 0
/** As MOVED, but it settles itself once the copy is safe. */
export const MOVE_WAITS = 1
/** No queue could store the copy: the original stays, to be tried again. */
export const MOVE_FAILED = 2

/** Rejected messages may be rejected again on their way (reject-publish-dlx), this often. */
const DEPTH_MAX = 16

/** What dead letters need of their vhost. */
export interface DeadLetterContext {
  readonly vhostName: string
  readonly clock: Clock
  readonly log: Logger
  readonly exchanges: ReadonlyMap<string, Exchange>
  readonly settledMoves: SettledMoves
  /** Changes with the topology. */
  readonly generation: number
  /** The queues depend on exchange and routing key alone, and nothing on the way looks at the message. */
  isRoutedByKey(exchange: Exchange): boolean
  publish(
    exchange: Exchange,
    queues: readonly MessageQueue[],
    count: number,
    message: IncomingMessage,
  ): number
  publishMessage(
    exchange: Exchange,
    routingKeys: readonly string[],
    message: IncomingMessage,
    properties: BasicProperties,
    accepts: (queue: MessageQueue) => boolean,
  ): number
}

/** Where one queue's dead messages go, and what was found out for those like the last one. */
export class DeadLetterRoute implements DeadLetterAddress {
  readonly queueName: string
  readonly exchangeName: string
  readonly routingKey: string | null
  stamp: DeathStamp | null = null
  /** Right for copies with the stamp while the generation is this one. */
  queues: MessageQueue[] = []
  /** Of several queues together; null if it is not known yet. */
  scope: CommitScope | null = null
  generation = -1
  hasLoggedCycle = false

  constructor(queueName: string, exchangeName: string, routingKey: string | null) {
    this.queueName = queueName
    this.exchangeName = exchangeName
    this.routingKey = routingKey
  }
}

export class DeadLetters {
  /** Messages that died and had a dead letter exchange, by reason. */
  readonly counts: Record<DeathReason, number> = {
    rejected: 0,
    expired: 0,
    maxlen: 0,
    delivery_limit: 0,
  }
  readonly #context: DeadLetterContext
  #depth = 0
  readonly #copies: DeadLetterCopy[] = []
  readonly #source = new IncomingMessage()
  /** Queues of the copy at hand. */
  #targets: MessageQueue[] = []
  /** Queues of the last copy. */
  #movedTo: readonly MessageQueue[] = []

  constructor(context: DeadLetterContext) {
    this.#context = context
  }

  get isMoving(): boolean {
    return this.#depth > 0
  }

  /**
   * Publishes the dead message, which is or was in `queue`'s store. The view may become invalid. Returns
   * MOVED, MOVE_WAITS or MOVE_FAILED.
   */
  move(
    queue: MovedFrom,
    route: DeadLetterRoute,
    message: StoredMessage,
    reason: DeathReason,
  ): number {
    const { segment, position, size, persistent } = message
    const bodySize = message.bodyEnd - message.bodyStart
    const source = this.#source
    source.route = source.properties = source.body = message.chunk
    source.routeStart = message.routeStart
    source.routeEnd = message.routeEnd
    source.propertiesStart = message.propertiesStart
    source.propertiesEnd = message.propertiesEnd
    source.bodyStart = message.bodyStart
    source.bodyEnd = message.bodyEnd
    source.persistent = persistent
    const outcome = this.#publish(route, source, reason)
    if (outcome === PUBLISH_REFUSED) return MOVE_FAILED
    this.counts[reason]++
    // What does not survive a restart here need not wait for what does elsewhere.
    if (outcome === PUBLISH_UNROUTABLE || !persistent || !queue.durable) return MOVED
    const target = this.#scopeOf(route, this.#movedTo)
    this.#context.settledMoves.add(queue, target, segment, position, size, bodySize)
    return MOVE_WAITS
  }

  /** Where the copies are, which the round has to cover. */
  #scopeOf(route: DeadLetterRoute, queues: readonly MessageQueue[]): CommitScope {
    if (queues.length === 1) return queues[0]!
    if (queues === route.queues && route.scope !== null) return route.scope
    const scope = new CommitScopes()
    for (const queue of queues) scope.add(queue)
    if (queues === route.queues) route.scope = scope
    return scope
  }

  /** For a message that was rejected when it came: it is in no store, and gone if this fails. */
  moveRejected(route: DeadLetterRoute, message: IncomingMessage): void {
    if (this.#depth >= DEPTH_MAX) return
    this.counts.maxlen++
    this.#publish(route, message, "maxlen")
  }

  /** PUBLISH_REFUSED only if nobody has taken a copy. */
  #publish(route: DeadLetterRoute, source: IncomingMessage, reason: DeathReason): number {
    const context = this.#context
    const exchange = context.exchanges.get(route.exchangeName)
    if (exchange === undefined) return PUBLISH_UNROUTABLE
    const copy = (this.#copies[this.#depth] ??= new DeadLetterCopy(context.clock))
    const stamp = copy.make(source, route, reason, route.stamp)
    const isKnown = stamp !== null && stamp === route.stamp
    const outer = this.#targets
    this.#depth++
    try {
      let takenBefore = 0
      let outcome = 0
      if (isKnown && route.generation === context.generation) {
        this.#targets = route.queues
        takenBefore = takenBy(route.queues)
        outcome = context.publish(exchange, route.queues, route.queues.length, copy.message)
      } else {
        const targets: MessageQueue[] = []
        this.#targets = targets
        const { generation } = context
        outcome = context.publishMessage(
          exchange,
          copy.routingKeys,
          copy.message,
          copy.decode(),
          (queue) => {
            if (this.#isCycle(route, copy, reason, queue.name)) return false
            targets.push(queue)
            takenBefore += queue.publishedCount
            return true
          },
        )
        if (stamp !== null) remember(route, stamp, targets, generation, context, exchange)
      }
      if (outcome === PUBLISH_REFUSED && takenBy(this.#targets) > takenBefore) return 0
      return outcome
    } finally {
      this.#depth--
      this.#movedTo = this.#targets
      this.#targets = outer
      copy.release()
    }
  }

  #isCycle(
    route: DeadLetterRoute,
    copy: DeadLetterCopy,
    reason: DeathReason,
    queueName: string,
  ): boolean {
    if (reason === "rejected") return false
    const isOne =
      copy.deaths.length === 0
        ? queueName === route.queueName // A stamped copy: it has died here only.
        : isCycle(copy.deaths, queueName)
    if (isOne && !route.hasLoggedCycle) {
      route.hasLoggedCycle = true
      this.#context.log.warn(
        { vhost: this.#context.vhostName, queue: route.queueName, target: queueName, reason },
        "a dead letter would go round in a circle and is dropped; said once per queue",
      )
    }
    return isOne
  }
}

function remember(
  route: DeadLetterRoute,
  stamp: DeathStamp,
  targets: MessageQueue[],
  generation: number,
  context: DeadLetterContext,
  exchange: Exchange,
): void {
  route.stamp = stamp
  route.generation = context.isRoutedByKey(exchange) ? generation : -1
  route.queues = targets
  route.scope = null
}

/** How many messages these queues have ever taken. */
function takenBy(queues: readonly MessageQueue[]): number {
  let count = 0
  for (let i = 0; i < queues.length; i++) count += queues[i]!.publishedCount
  return count
}
