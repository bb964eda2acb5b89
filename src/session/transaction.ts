import type { IncomingMessage } from "../broker/message.ts"
import { CommitScopes } from "../broker/commit-scope.ts"
import type { CommitScope } from "../broker/commit-scope.ts"
import { Refusal } from "../broker/errors.ts"
import { PUBLISH_DUPLICATE, PUBLISH_DURABLE, PUBLISH_REFUSED } from "../broker/vhost.ts"
import type { Channel } from "./channel.ts"
import { copyMessage } from "./copy-message.ts"
import { scopeOf } from "./publish-route.ts"
import type { PublishRoute } from "./publish-route.ts"
import { RETURNED, Unacked } from "./unacked.ts"

/**
 * Local transaction of one channel (class 90): publishes and acknowledgements are kept until commit.
 * Publishes are routed when they arrive and enqueued at commit, in those of the queues that are there
 * then, before the acknowledgements are applied, as RabbitMQ does. Not atomic across queues or a crash.
 *
 * Limit: the bodies of one transaction may take `TRANSACTION_BYTES_MAX`; a publish beyond it is refused.
 */
const TRANSACTION_BYTES_MAX = 512 << 20
/** Of objects around a message. */
const PUBLISH_OVERHEAD_BYTES = 1024

interface PendingPublish {
  readonly route: PublishRoute
  readonly message: IncomingMessage
  readonly mandatory: boolean
}

interface PendingSettlement {
  readonly tag: number
  readonly entry: Unacked
  readonly how: number
}

export class Transaction {
  #publishes: PendingPublish[] = []
  #settlements: PendingSettlement[] = []
  #bytes = 0
  readonly #channel: Channel

  constructor(channel: Channel) {
    this.#channel = channel
  }

  addPublish(route: PublishRoute, message: IncomingMessage, mandatory: boolean): void {
    const copy = copyMessage(message)
    this.#bytes += PUBLISH_OVERHEAD_BYTES + copy.body.bytes.length + copy.properties.bytes.length
    if (this.#bytes > TRANSACTION_BYTES_MAX)
      throw new Refusal(
        "precondition-failed",
        `transaction holds more than ${TRANSACTION_BYTES_MAX} bytes`,
      )
    this.#publishes.push({ route, message: copy, mandatory })
  }

  addSettlement(tag: number, entry: Unacked, how: number): void {
    const copy = new Unacked()
    copy.fill(entry.source, entry.segment, entry.position, entry.size, entry.bodySize)
    this.#settlements.push({ tag, entry: copy, how })
  }

  /**
   * Applies everything. Returns what must be on disk before the reply, or null. Throws if a queue refused
   * a message: the others keep theirs (RabbitMQ: "partial tx completion").
   */
  commit(): CommitScope | null {
    const publishes = this.#publishes
    const settlements = this.#settlements
    this.#clear()
    let scope: CommitScopes | null = null
    let isRefused = false
    const { vhost } = this.#channel
    for (const { route: routed, message, mandatory } of publishes) {
      const isCurrent = routed.generation === vhost.generation
      const route = isCurrent ? routed : routed.current(vhost.queues)
      const outcome = this.#channel.store(route, message, mandatory)
      if (outcome === PUBLISH_DURABLE || outcome === PUBLISH_DUPLICATE) {
        scope ??= new CommitScopes()
        scope.add(scopeOf(route, message))
      } else if (outcome === PUBLISH_REFUSED) isRefused = true
    }
    for (const { entry, how } of settlements)
      if (entry.source !== RETURNED) this.#channel.applySettlement(entry, how)
    if (isRefused) throw new Refusal("precondition-failed", "partial tx completion")
    return scope
  }

  /** Forgets the publishes; the acknowledged deliveries are outstanding again. */
  discard(): void {
    const settlements = this.#settlements
    this.#clear()
    for (let i = settlements.length - 1; i >= 0; i--)
      this.#channel.restoreUnacked(settlements[i]!.tag, settlements[i]!.entry)
  }

  #clear(): void {
    this.#publishes = []
    this.#settlements = []
    this.#bytes = 0
  }
}
