import {
  EXCHANGE_BIND,
  EXCHANGE_DECLARE,
  EXCHANGE_DELETE,
  EXCHANGE_UNBIND,
  readExchangeBind,
  readExchangeDeclare,
  readExchangeDelete,
  readExchangeUnbind,
  writeExchangeBindOk,
  writeExchangeDeclareOk,
  writeExchangeDeleteOk,
  writeExchangeUnbindOk,
} from "../../amqp/generated/methods.ts"
import type { ExchangeBind, ExchangeDeclare } from "../../amqp/generated/methods.ts"
import type { AmqpReader } from "../../amqp/reader.ts"
import {
  requireAny,
  requireConfigure,
  requireRead,
  requireTopicRead,
  requireWriteTo,
} from "../../broker/access.ts"
import { DESTINATION_EXCHANGE } from "../../broker/exchange/destination.ts"
import { checkExchangeType } from "../../broker/exchange/exchange-type.ts"
import type { Channel } from "../channel.ts"
import { refuseMethod } from "./refuse.ts"

/** Class exchange (40). The -ok of a change to something durable waits for the disk. */
export function handleExchange(channel: Channel, method: number, reader: AmqpReader): void {
  switch (method) {
    case EXCHANGE_DECLARE:
      declare(channel, readExchangeDeclare(reader))
      return
    case EXCHANGE_DELETE: {
      const args = readExchangeDelete(reader)
      requireConfigure(channel.connection.access, "exchange", args.exchange)
      const before = channel.vhost.loggedCount
      channel.vhost.deleteExchange(args.exchange, args.ifUnused)
      const isDurable = channel.vhost.loggedCount !== before
      if (!args.nowait) channel.reply(writeExchangeDeleteOk(channel.id), isDurable)
      return
    }
    case EXCHANGE_BIND: {
      const args = readExchangeBind(reader)
      const isDurable = bind(channel, args, false)
      if (!args.nowait) channel.reply(writeExchangeBindOk(channel.id), isDurable)
      return
    }
    case EXCHANGE_UNBIND: {
      const args = readExchangeUnbind(reader)
      const isDurable = bind(channel, args, true)
      if (!args.nowait) channel.reply(writeExchangeUnbindOk(channel.id), isDurable)
      return
    }
    default:
      throw refuseMethod(method)
  }
}

function declare(channel: Channel, args: ExchangeDeclare): void {
  const { access } = channel.connection
  if (args.passive) requireAny(access, "exchange", args.exchange)
  else {
    checkExchangeType(args.type)
    requireConfigure(access, "exchange", args.exchange)
    const alternate =
      args.arguments.get("alternate-exchange") ?? args.arguments.get("x-alternate-exchange")
    if (typeof alternate === "string" && !channel.vhost.exchanges.has(args.exchange)) {
      requireRead(access, "exchange", args.exchange)
      requireWriteTo(access, "exchange", alternate)
    }
  }
  const before = channel.vhost.loggedCount
  channel.vhost.declareExchange({ ...args, name: args.exchange })
  if (!args.nowait)
    channel.reply(writeExchangeDeclareOk(channel.id), channel.vhost.loggedCount !== before)
}

/** True if something durable was changed. */
function bind(channel: Channel, args: ExchangeBind, isUnbind: boolean): boolean {
  const { vhost } = channel
  const { access } = channel.connection
  requireWriteTo(access, "exchange", args.destination)
  requireRead(access, "exchange", args.source)
  requireTopicRead(access, vhost.exchanges.get(args.source) ?? null, args.routingKey)
  const request = {
    source: args.source,
    kind: DESTINATION_EXCHANGE,
    destination: args.destination,
    routingKey: args.routingKey,
    arguments: args.arguments,
  } as const
  const before = vhost.loggedCount
  if (isUnbind) vhost.unbind(request, channel.connection)
  else vhost.bind(request, channel.connection)
  return vhost.loggedCount !== before
}
