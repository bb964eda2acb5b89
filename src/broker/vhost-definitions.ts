import {
  EXCHANGE_BIND,
  EXCHANGE_DECLARE,
  EXCHANGE_DELETE,
  EXCHANGE_UNBIND,
  QUEUE_BIND,
  QUEUE_DECLARE,
  QUEUE_DELETE,
  QUEUE_UNBIND,
  readExchangeBind,
  readExchangeDeclare,
  readExchangeDelete,
  readExchangeUnbind,
  readQueueBind,
  readQueueDeclare,
  readQueueDelete,
  readQueueUnbind,
  writeExchangeBind,
  writeExchangeDeclare,
  writeExchangeDelete,
  writeExchangeUnbind,
  writeQueueBind,
  writeQueueDeclare,
  writeQueueDelete,
  writeQueueUnbind,
} from "../amqp/generated/methods.ts"
import { FRAME_HEADER_SIZE } from "../amqp/frames.ts"
import { AmqpReader } from "../amqp/reader.ts"
import type { Table } from "../amqp/table.ts"
import type { DestinationKind } from "./exchange/destination.ts"
import { DESTINATION_EXCHANGE, DESTINATION_QUEUE } from "./exchange/destination.ts"
import type { Exchange } from "./exchange/exchange.ts"
import { isPredeclaredExchange } from "./exchange/predeclared.ts"
import type { MessageQueue } from "./queue/message-queue.ts"

/**
 * Turns the durable topology of a vhost into AMQP method frames for definitions.amqp and back.
 * Which changes are logged, and when, is the vhost's business; the file is storage/definitions-log.ts.
 */

/** What a logged frame says; implemented by the vhost while it loads. */
export interface DefinitionSink {
  exchangeDeclared(
    name: string,
    type: string,
    autoDelete: boolean,
    internal: boolean,
    args: Table,
  ): void
  exchangeDeleted(name: string): void
  queueDeclared(name: string, autoDelete: boolean, args: Table): void
  queueDeleted(name: string): void
  bound(source: string, kind: DestinationKind, destination: string, key: string, args: Table): void
  unbound(
    source: string,
    kind: DestinationKind,
    destination: string,
    key: string,
    args: Table,
  ): void
}

const CHANNEL = 0

export function exchangeDeclareFrame(exchange: Exchange): Buffer {
  return writeExchangeDeclare(CHANNEL, {
    exchange: exchange.name,
    type: exchange.type,
    passive: false,
    durable: true,
    autoDelete: exchange.autoDelete,
    internal: exchange.internal,
    nowait: true,
    arguments: exchange.arguments,
  })
}

export function exchangeDeleteFrame(name: string): Buffer {
  return writeExchangeDelete(CHANNEL, { exchange: name, ifUnused: false, nowait: true })
}

export function queueDeclareFrame(queue: MessageQueue): Buffer {
  return writeQueueDeclare(CHANNEL, {
    queue: queue.name,
    passive: false,
    durable: true,
    exclusive: false,
    autoDelete: queue.autoDelete,
    nowait: true,
    arguments: queue.arguments,
  })
}

export function queueDeleteFrame(name: string): Buffer {
  return writeQueueDelete(CHANNEL, { queue: name, ifUnused: false, ifEmpty: false, nowait: true })
}

export function bindFrame(
  source: string,
  kind: DestinationKind,
  destination: string,
  routingKey: string,
  args: Table,
): Buffer {
  if (kind === DESTINATION_QUEUE)
    return writeQueueBind(CHANNEL, {
      queue: destination,
      exchange: source,
      routingKey,
      nowait: true,
      arguments: args,
    })
  return writeExchangeBind(CHANNEL, {
    destination,
    source,
    routingKey,
    nowait: true,
    arguments: args,
  })
}

export function unbindFrame(
  source: string,
  kind: DestinationKind,
  destination: string,
  routingKey: string,
  args: Table,
): Buffer {
  if (kind === DESTINATION_QUEUE)
    return writeQueueUnbind(CHANNEL, {
      queue: destination,
      exchange: source,
      routingKey,
      arguments: args,
    })
  return writeExchangeUnbind(CHANNEL, {
    destination,
    source,
    routingKey,
    nowait: true,
    arguments: args,
  })
}

/** Reads one logged frame into the sink. False if it is no definition. Throws ProtocolError if malformed. */
export function applyDefinition(frame: Buffer, sink: DefinitionSink): boolean {
  const start = FRAME_HEADER_SIZE
  const method = frame.readUInt32BE(start)
  const reader = new AmqpReader(frame, start + 4, frame.length - 1)
  switch (method) {
    case EXCHANGE_DECLARE: {
      const args = readExchangeDeclare(reader)
      sink.exchangeDeclared(
        args.exchange,
        args.type,
        args.autoDelete,
        args.internal,
        args.arguments,
      )
      return true
    }
    case EXCHANGE_DELETE:
      sink.exchangeDeleted(readExchangeDelete(reader).exchange)
      return true
    case QUEUE_DECLARE: {
      const args = readQueueDeclare(reader)
      sink.queueDeclared(args.queue, args.autoDelete, args.arguments)
      return true
    }
    case QUEUE_DELETE:
      sink.queueDeleted(readQueueDelete(reader).queue)
      return true
    case QUEUE_BIND: {
      const args = readQueueBind(reader)
      sink.bound(args.exchange, 0, args.queue, args.routingKey, args.arguments)
      return true
    }
    case QUEUE_UNBIND: {
      const args = readQueueUnbind(reader)
      sink.unbound(args.exchange, 0, args.queue, args.routingKey, args.arguments)
      return true
    }
    case EXCHANGE_BIND: {
      const args = readExchangeBind(reader)
      sink.bound(args.source, 1, args.destination, args.routingKey, args.arguments)
      return true
    }
    case EXCHANGE_UNBIND: {
      const args = readExchangeUnbind(reader)
      sink.unbound(args.source, 1, args.destination, args.routingKey, args.arguments)
      return true
    }
    default:
      return false
  }
}

/** Survives a restart. An exclusive queue never does: its connection is gone by then. */
export function isPersistent(queue: MessageQueue): boolean {
  return queue.durable && queue.owner === null
}

export function isBindingPersistent(
  source: Exchange,
  destination: Exchange | MessageQueue,
): boolean {
  if (!source.durable || !destination.durable) return false
  return destination.kind === DESTINATION_EXCHANGE || destination.owner === null
}

/** Every durable definition as frames. Exchanges and queues before bindings. */
export function forEachDefinition(
  { exchanges, queues }: Topology,
  emit: (frame: Buffer) => void,
): void {
  for (const exchange of exchanges.values())
    if (exchange.durable && !isPredeclaredExchange(exchange.name))
      emit(exchangeDeclareFrame(exchange))
  for (const queue of queues.values()) if (isPersistent(queue)) emit(queueDeclareFrame(queue))
  for (const source of exchanges.values())
    source.bindings.forEach((destination, routingKey, args) => {
      const { kind, name } = destination
      const target = kind === DESTINATION_QUEUE ? queues.get(name) : exchanges.get(name)
      if (target !== undefined && isBindingPersistent(source, target))
        emit(bindFrame(source.name, target.kind, target.name, routingKey, args))
    })
}

interface Topology {
  readonly exchanges: ReadonlyMap<string, Exchange>
  readonly queues: ReadonlyMap<string, MessageQueue>
}
