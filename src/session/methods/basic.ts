import { ProtocolError } from "../../amqp/errors.ts"
import {
  BASIC_ACK,
  BASIC_CANCEL,
  BASIC_CANCEL_OK,
  BASIC_CONSUME,
  BASIC_GET,
  BASIC_NACK,
  BASIC_QOS,
  BASIC_RECOVER,
  BASIC_RECOVER_ASYNC,
  BASIC_REJECT,
  readBasicAck,
  readBasicCancel,
  readBasicCancelOk,
  readBasicConsume,
  readBasicGet,
  readBasicNack,
  readBasicQos,
  readBasicRecover,
  readBasicRecoverAsync,
  readBasicReject,
  writeBasicCancelOk,
  writeBasicConsumeOk,
  writeBasicGetEmpty,
  writeBasicQosOk,
  writeBasicRecoverOk,
} from "../../amqp/generated/methods.ts"
import type { BasicConsume, BasicGet, BasicQos } from "../../amqp/generated/methods.ts"
import type { AmqpReader } from "../../amqp/reader.ts"
import { numberOf } from "../../amqp/table.ts"
import type { Table } from "../../amqp/table.ts"
import { requireRead } from "../../broker/access.ts"
import { checkConsumerArguments } from "../../broker/arguments.ts"
import { isReplyQueue } from "../../broker/direct-reply.ts"
import { ADDED_NONE, StoredMessage } from "../../broker/message.ts"
import type { Channel } from "../channel.ts"
import { writeGetOk } from "../delivery-writer.ts"
import { Subscription } from "../subscription.ts"
import { consumeReplies } from "./direct-reply.ts"
import { refuseMethod } from "./refuse.ts"
import { queueName } from "./queue.ts"

/** Class basic (60), but publish (publisher.ts) and well-formed acknowledgements (connection.ts). */
export function handleBasic(channel: Channel, method: number, reader: AmqpReader): void {
  switch (method) {
    case BASIC_QOS:
      qos(channel, readBasicQos(reader))
      return
    case BASIC_CONSUME:
      consume(channel, readBasicConsume(reader))
      return
    case BASIC_CANCEL: {
      const args = readBasicCancel(reader)
      cancel(channel, args.consumerTag)
      if (!args.nowait)
        channel.reply(writeBasicCancelOk(channel.id, { consumerTag: args.consumerTag }))
      return
    }
    case BASIC_CANCEL_OK:
      readBasicCancelOk(reader) // The answer to our cancel: the consumer is already gone.
      return
    case BASIC_GET:
      get(channel, readBasicGet(reader))
      return
    case BASIC_RECOVER:
      recover(channel, readBasicRecover(reader).requeue)
      channel.reply(writeBasicRecoverOk(channel.id))
      return
    case BASIC_RECOVER_ASYNC:
      recover(channel, readBasicRecoverAsync(reader).requeue)
      return
    // Only malformed ones get here: reading them gives the error.
    case BASIC_ACK:
      readBasicAck(reader)
      return
    case BASIC_NACK:
      readBasicNack(reader)
      return
    case BASIC_REJECT:
      readBasicReject(reader)
      return
    default:
      throw refuseMethod(method)
  }
}

function qos(channel: Channel, args: BasicQos): void {
  if (args.prefetchSize !== 0)
    throw new ProtocolError(540, `prefetch_size!=0 (${args.prefetchSize})`)
  if (args.global) channel.globalPrefetch = args.prefetchCount
  else {
    // RabbitMQ: a limit per consumer replaces the one of the channel, and counts for later consumers.
    channel.consumerPrefetch = args.prefetchCount
    channel.globalPrefetch = 0
    if (channel.connection.changesPresentConsumers)
      for (const consumer of channel.consumers.values()) consumer.prefetchCount = args.prefetchCount
  }
  channel.wakeConsumers()
  channel.reply(writeBasicQosOk(channel.id))
}

function consume(channel: Channel, args: BasicConsume): void {
  const { connection, vhost } = channel
  const name = queueName(channel, args.queue)
  if (isReplyQueue(name)) {
    consumeReplies(channel, args)
    return
  }
  if (args.consumerTag !== "" && channel.isTagUsed(args.consumerTag))
    throw new ProtocolError(530, `attempt to reuse consumer tag '${args.consumerTag}'`)
  const max = connection.options.maxConsumersPerChannel ?? 0
  if (max !== 0 && channel.consumers.size >= max)
    throw new ProtocolError(530, `reached maximum (${max}) of consumers per channel`)
  requireRead(connection.access, "queue", name)
  const queue = vhost.queue(name, connection)
  checkConsumerArguments(vhost.name, name, args.arguments)
  const tag = args.consumerTag === "" ? channel.unusedTag() : args.consumerTag
  queue.checkConsumer({
    tag,
    noAck: args.noAck,
    exclusive: args.exclusive,
    arguments: args.arguments,
    prefetchCount: channel.consumerPrefetch,
    globalPrefetch: channel.globalPrefetch,
  })
  const source = channel.newSource(queue)
  const subscription = new Subscription(channel, queue, source, {
    tag,
    noAck: args.noAck,
    exclusive: args.exclusive,
    priority: priorityOf(args.arguments),
    arguments: args.arguments,
    prefetchCount: channel.consumerPrefetch,
  })
  source.subscription = subscription
  channel.consumers.set(tag, subscription)
  // consume-ok comes before the first delivery: deliveries wait while replies are held.
  if (!args.nowait) channel.reply(writeBasicConsumeOk(channel.id, { consumerTag: tag }))
  queue.addSubscriber(subscription)
}

function priorityOf(args: Table): number {
  return Number(numberOf(args.get("x-priority")) ?? 0)
}

/** An unknown tag is no error. Deliveries that are outstanding stay so. */
function cancel(channel: Channel, tag: string): void {
  const subscription = channel.consumers.get(tag)
  if (subscription !== undefined) channel.cancelConsumer(subscription)
  else if (channel.replies !== null && channel.replies.tag === tag) channel.endReplies()
}

/** Used for one basic.get at a time. */
const got = new StoredMessage()

function get(channel: Channel, args: BasicGet): void {
  const { connection, vhost } = channel
  const name = queueName(channel, args.queue)
  requireRead(connection.access, "queue", name)
  const queue = vhost.queue(name, connection)
  // A held reply must come first: then the message is fetched when its turn has come.
  channel.inOrder(() => {
    queue.touch()
    if (queue.isPaused || !queue.get(got, args.noAck)) {
      channel.getEmptyCount++
      connection.outbox.write(writeBasicGetEmpty(channel.id))
      connection.markTurn()
      return
    }
    const tag = ++channel.lastDeliveryTag
    if (args.noAck) channel.gotNoAckCount++
    else channel.gotCount++
    if (got.redelivered) channel.redeliveredCount++
    if (!args.noAck) channel.addUnacked(tag, channel.getSource(queue), got)
    writeGetOk(connection.outbox, channel.id, connection.frameMax, tag, queue.readyCount, got)
    got.added = ADDED_NONE
    connection.markTurn()
  })
}

function recover(channel: Channel, requeue: boolean): void {
  if (!requeue) throw new ProtocolError(540, "requeue=false")
  channel.requeueAll()
}
