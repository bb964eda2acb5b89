import type { ReplyConsumer } from "../broker/direct-reply.ts"
import type { IncomingMessage } from "../broker/message.ts"
import type { Channel } from "./channel.ts"
import { copyMessage } from "./copy-message.ts"
import { DeliveryWriter } from "./delivery-writer.ts"

/**
 * The one consumer of a channel that gets direct replies (broker/direct-reply.ts). Nothing is kept for
 * it: a reply goes into the connection's output as soon as it comes, or nowhere. It has no prefetch,
 * and channel.flow does not stop it.
 */

/** What may wait to be sent to a requester that does not read. Replies beyond it are lost. */
export const REPLY_OUTPUT_BYTES_MAX = 32 << 20

export class ReplySubscription implements ReplyConsumer {
  readonly tag: string
  readonly channel: Channel
  /** What its requests carry as reply-to, and replies as routing key. */
  readonly name: string
  readonly nameBytes: Buffer
  /** Bodies of replies that wait behind held replies of the channel. */
  #heldBytes = 0
  readonly #writer: DeliveryWriter

  constructor(channel: Channel, tag: string) {
    this.channel = channel
    this.tag = tag
    this.#writer = new DeliveryWriter(channel.id, channel.connection.frameMax, tag)
    this.name = channel.vhost.replies.add(this)
    this.nameBytes = Buffer.from(this.name)
  }

  takeReply(message: IncomingMessage): boolean {
    const { channel } = this
    const { connection } = channel
    const { outbox } = connection
    if (outbox.pendingBytes + this.#heldBytes > REPLY_OUTPUT_BYTES_MAX) return false
    // Responders go slower for a while, as publishers do whose consumers cannot keep up.
    if (!outbox.hasRoom) connection.broker.turn.noteBacklog()
    if (channel.isHolding) this.#hold(message)
    else this.#write(message)
    return true
  }

  /** consume-ok waits for the disk: it must come first. */
  #hold(message: IncomingMessage): void {
    const copy = copyMessage(message)
    const size = copy.bodyEnd - copy.bodyStart
    this.#heldBytes += size
    this.channel.inOrder(() => {
      this.#heldBytes -= size
      this.#write(copy)
    })
  }

  #write(message: IncomingMessage): void {
    const { channel } = this
    const { connection } = channel
    channel.deliveredNoAckCount++
    this.#writer.writePassed(connection.outbox, ++channel.lastDeliveryTag, message)
    if (!connection.inTurn) connection.markTurn()
  }

  cancel(): void {
    this.channel.vhost.replies.remove(this.name)
  }
}
