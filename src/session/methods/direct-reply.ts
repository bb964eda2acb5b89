import { ProtocolError } from "../../amqp/errors.ts"
import { writeBasicConsumeOk, writeQueueDeclareOk } from "../../amqp/generated/methods.ts"
import type { BasicConsume, QueueDeclare } from "../../amqp/generated/methods.ts"
import { isReplyQueue, isReservedForReplies } from "../../broker/direct-reply.ts"
import { Refusal } from "../../broker/errors.ts"
import type { Channel } from "../channel.ts"
import { ReplySubscription } from "../reply-subscription.ts"

/**
 * What methods do to the pseudo queue of direct reply-to. Everything that is not here finds no such
 * queue: it cannot be bound, purged or got from.
 */

/** basic.consume; the checks and their order are RabbitMQ's. No permission is needed. */
export function consumeReplies(channel: Channel, args: BasicConsume): void {
  if (args.consumerTag !== "" && channel.isTagUsed(args.consumerTag))
    throw new ProtocolError(530, `attempt to reuse consumer tag '${args.consumerTag}'`)
  if (!args.noAck) throw new Refusal("precondition-failed", "reply consumer cannot acknowledge")
  if (channel.replies !== null)
    throw new Refusal("precondition-failed", "reply consumer already set")
  const consumerTag = args.consumerTag === "" ? channel.unusedTag() : args.consumerTag
  channel.replies = new ReplySubscription(channel, consumerTag)
  if (!args.nowait) channel.reply(writeBasicConsumeOk(channel.id, { consumerTag }))
}

/**
 * queue.declare, active or passive: clients ask whether a requester is still there. False if the name
 * has nothing to do with direct replies.
 */
export function declareReplyQueue(channel: Channel, args: QueueDeclare): boolean {
  const name = args.queue
  if (!isReservedForReplies(name)) return false
  if (!isReplyQueue(name) && !channel.vhost.replies.has(name))
    throw new Refusal("not-found", `no queue '${name}' in vhost '${channel.vhost.name}'`)
  channel.lastQueueName = name
  if (!args.nowait)
    channel.reply(
      writeQueueDeclareOk(channel.id, { queue: name, messageCount: 0, consumerCount: 1 }),
    )
  return true
}
