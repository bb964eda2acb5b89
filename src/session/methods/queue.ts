import {
  QUEUE_BIND,
  QUEUE_DECLARE,
  QUEUE_DELETE,
  QUEUE_PURGE,
  QUEUE_UNBIND,
  readQueueBind,
  readQueueDeclare,
  readQueueDelete,
  readQueuePurge,
  readQueueUnbind,
  writeQueueBindOk,
  writeQueueDeclareOk,
  writeQueueDeleteOk,
  writeQueuePurgeOk,
  writeQueueUnbindOk,
} from "../../amqp/generated/methods.ts"
import type { QueueDeclare, QueueDelete, QueueUnbind } from "../../amqp/generated/methods.ts"
import type { AmqpReader } from "../../amqp/reader.ts"
import {
  requireAny,
  requireConfigure,
  requireRead,
  requireTopicRead,
  requireWriteTo,
} from "../../broker/access.ts"
import { Refusal } from "../../broker/errors.ts"
import { DESTINATION_QUEUE } from "../../broker/exchange/destination.ts"
import type { MessageQueue } from "../../broker/queue/message-queue.ts"
import type { Channel } from "../channel.ts"
import { declareReplyQueue } from "./direct-reply.ts"
import { refuseMethod } from "./refuse.ts"

/**
 * Class queue (50). An empty queue name means the queue that this channel declared last. The -ok of a
 * change to something durable waits for the disk.
 */
export function handleQueue(channel: Channel, method: number, reader: AmqpReader): void {
  switch (method) {
    case QUEUE_DECLARE:
      declare(channel, readQueueDeclare(reader))
      return
    case QUEUE_BIND: {
      const args = readQueueBind(reader)
      const isDurable = bind(channel, args, false)
      if (!args.nowait) channel.reply(writeQueueBindOk(channel.id), isDurable)
      return
    }
    case QUEUE_UNBIND: {
      const isDurable = bind(channel, readQueueUnbind(reader), true)
      channel.reply(writeQueueUnbindOk(channel.id), isDurable)
      return
    }
    case QUEUE_PURGE: {
      const args = readQueuePurge(reader)
      const name = queueName(channel, args.queue)
      requireRead(channel.connection.access, "queue", name)
      const messageCount = channel.vhost.queue(name, channel.connection).purge()
      if (!args.nowait) channel.reply(writeQueuePurgeOk(channel.id, { messageCount }))
      return
    }
    case QUEUE_DELETE:
      remove(channel, readQueueDelete(reader))
      return
    default:
      throw refuseMethod(method)
  }
}

/** The name as given, or of the queue declared last on this channel. */
export function queueName(channel: Channel, name: string): string {
  if (name !== "") return name
  if (channel.lastQueueName === "") throw new Refusal("not-found", "no previously declared queue")
  return channel.lastQueueName
}

function declare(channel: Channel, args: QueueDeclare): void {
  if (declareReplyQueue(channel, args)) return
  const { vhost, connection } = channel
  const before = vhost.loggedCount
  let queue: MessageQueue
  if (args.passive) {
    requireAny(connection.access, "queue", args.queue)
    queue = vhost.queue(args.queue, connection)
  } else {
    const generatedName = args.queue === "" ? vhost.unusedQueueName() : ""
    const name = args.queue === "" ? generatedName : args.queue
    requireConfigure(connection.access, "queue", name)
    const deadLetterExchange = args.arguments.get("x-dead-letter-exchange")
    if (typeof deadLetterExchange === "string" && !vhost.queues.has(name)) {
      requireRead(connection.access, "queue", name)
      requireWriteTo(connection.access, "exchange", deadLetterExchange)
    }
    queue = vhost.declareQueue({ ...args, name: args.queue, generatedName }, connection)
  }
  queue.touch()
  channel.lastQueueName = queue.name
  if (args.nowait) return
  channel.reply(
    writeQueueDeclareOk(channel.id, {
      queue: queue.name,
      messageCount: queue.readyCount,
      consumerCount: queue.consumerCount,
    }),
    vhost.loggedCount !== before,
  )
}

/** True if something durable was changed. */
function bind(channel: Channel, args: QueueUnbind, isUnbind: boolean): boolean {
  const { vhost, connection } = channel
  const name = queueName(channel, args.queue)
  // RabbitMQ: without both names the key is the queue's name.
  const routingKey = args.queue === "" && args.routingKey === "" ? name : args.routingKey
  requireWriteTo(connection.access, "queue", name)
  requireRead(connection.access, "exchange", args.exchange)
  const source = vhost.exchanges.get(args.exchange) ?? null
  requireTopicRead(connection.access, source, routingKey)
  const request = {
    source: args.exchange,
    kind: DESTINATION_QUEUE,
    destination: name,
    routingKey,
    arguments: args.arguments,
  } as const
  const before = vhost.loggedCount
  if (isUnbind) vhost.unbind(request, connection)
  else vhost.bind(request, connection)
  return vhost.loggedCount !== before
}

function remove(channel: Channel, args: QueueDelete): void {
  const { vhost, connection } = channel
  const name = queueName(channel, args.queue)
  requireConfigure(connection.access, "queue", name)
  let messageCount = 0
  const before = vhost.loggedCount
  if (vhost.queues.has(name))
    messageCount = vhost.deleteQueueIf(vhost.queue(name, connection), args.ifUnused, args.ifEmpty)
  if (args.nowait) return
  channel.reply(writeQueueDeleteOk(channel.id, { messageCount }), vhost.loggedCount !== before)
}
