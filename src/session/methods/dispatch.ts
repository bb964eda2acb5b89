import { ProtocolError } from "../../amqp/errors.ts"
import { CHANNEL_OPEN, writeChannelOpenOk } from "../../amqp/generated/methods.ts"
import type { AmqpReader } from "../../amqp/reader.ts"
import { assert } from "../../util/assert.ts"
import { Channel } from "../channel.ts"
import type { Connection } from "../connection.ts"
import { handleAccess } from "./access.ts"
import { handleBasic } from "./basic.ts"
import { handleChannel } from "./channel.ts"
import { handleConfirm } from "./confirm.ts"
import { handleExchange } from "./exchange.ts"
import { handleQueue } from "./queue.ts"
import { refuseMethod } from "./refuse.ts"
import { handleTx } from "./tx.ts"

/** Sends a method of a channel to the file of its class. Publish and acknowledgements never come here. */
export function handleChannelMethod(channel: Channel, method: number, reader: AmqpReader): void {
  switch (method >>> 16) {
    case 20:
      handleChannel(channel, method, reader)
      return
    case 30:
      handleAccess(channel, method, reader)
      return
    case 40:
      handleExchange(channel, method, reader)
      return
    case 50:
      handleQueue(channel, method, reader)
      return
    case 60:
      handleBasic(channel, method, reader)
      return
    case 85:
      handleConfirm(channel, method, reader)
      return
    case 90:
      handleTx(channel, method, reader)
      return
    default:
      throw refuseMethod(method)
  }
}

export function openChannel(connection: Connection, channelId: number): void {
  const { vhost } = connection
  if (vhost === null)
    throw new ProtocolError(504, "connection is not open", CHANNEL_OPEN >>> 16, 10)
  const { broker, user } = connection
  assert(user !== null, "a connection with a vhost has a user")
  broker.admission.checkChannel(user.name, broker.userLimits.of(user.name))
  broker.admission.channelOpened(user.name)
  const channel = new Channel(channelId, connection, vhost)
  while (connection.channels.length < channelId) connection.channels.push(undefined)
  connection.channels[channelId] = channel
  connection.openChannelCount++
  channel.reply(writeChannelOpenOk(channelId))
}
