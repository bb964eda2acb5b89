import type { Random } from "../util/random.ts"
import { randomName } from "../util/random.ts"
import type { IncomingMessage } from "./message.ts"

/**
 * Direct reply-to (RabbitMQ's): answers to a request go straight to the channel that sent it, without
 * a queue. The requester consumes from a pseudo queue and names it in the reply-to of its requests;
 * the broker puts a name there that nobody can guess, and what is published to the default exchange
 * with that name as its routing key reaches the requester as long as its channel consumes.
 *
 * Here: the names in use in one vhost. Who may consume and how is the session's business.
 */

/** What a requester consumes from and names in its requests; the second is LavinMQ's name for it. */
export const REPLY_QUEUE = "amq.rabbitmq.reply-to"
export const REPLY_QUEUE_ALIAS = "amq.direct.reply-to"

const NAME_PREFIX = `${REPLY_QUEUE}.`

/** The channel of a requester. */
export interface ReplyConsumer {
  /** Writes the reply out. False if the requester does not read: it is lost then. */
  takeReply(message: IncomingMessage): boolean
}

export function isReplyQueue(name: string): boolean {
  return name === REPLY_QUEUE || name === REPLY_QUEUE_ALIAS
}

/** The name of a requester, alive or not. */
export function isReplyName(name: string): boolean {
  return name.startsWith(NAME_PREFIX)
}

/** Names that no queue has: the pseudo queue, and all that begins like it. */
export function isReservedForReplies(name: string): boolean {
  return name.startsWith(REPLY_QUEUE) || name === REPLY_QUEUE_ALIAS
}

export class DirectReplies {
  readonly #consumers = new Map<string, ReplyConsumer>()
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
  }

  get size(): number {
    return this.#consumers.size
  }

  /** Returns the name under which the consumer gets replies from now on. */
  add(consumer: ReplyConsumer): string {
    for (;;) {
      // RabbitMQ's form: two parts and an end that clients have been seen to look for.
      const name = `${randomName(this.#random, NAME_PREFIX)}${randomName(this.#random, ".")}==`
      if (this.#consumers.has(name)) continue
      this.#consumers.set(name, consumer)
      return name
    }
  }

  remove(name: string): void {
    this.#consumers.delete(name)
  }

  has(name: string): boolean {
    return this.#consumers.has(name)
  }

  /** False if there is no such requester any more, or it does not read: the message is unroutable. */
  publish(name: string, message: IncomingMessage): boolean {
    const consumer = this.#consumers.get(name)
    return consumer !== undefined && consumer.takeReply(message)
  }
}
