import { ProtocolError } from "../../amqp/errors.ts"
import {
  CHANNEL_CLOSE,
  CHANNEL_CLOSE_OK,
  CHANNEL_FLOW,
  CHANNEL_FLOW_OK,
  CHANNEL_OPEN,
  readChannelClose,
  readChannelFlow,
  readChannelFlowOk,
  writeChannelCloseOk,
  writeChannelFlowOk,
} from "../../amqp/generated/methods.ts"
import type { AmqpReader } from "../../amqp/reader.ts"
import type { Channel } from "../channel.ts"
import { refuseMethod } from "./refuse.ts"

/** Class channel (20). Opening is in dispatch.ts, because there is no channel yet. */
export function handleChannel(channel: Channel, method: number, reader: AmqpReader): void {
  switch (method) {
    case CHANNEL_OPEN:
      throw new ProtocolError(504, "second 'channel.open' seen")
    case CHANNEL_CLOSE:
      readChannelClose(reader)
      close(channel)
      return
    case CHANNEL_CLOSE_OK:
      if (channel.isReleased) channel.connection.removeChannel(channel)
      return
    case CHANNEL_FLOW: {
      const { active } = readChannelFlow(reader)
      channel.setFlow(active)
      channel.reply(writeChannelFlowOk(channel.id, { active }))
      return
    }
    case CHANNEL_FLOW_OK:
      readChannelFlowOk(reader) // We never send channel.flow; the answer to nothing is harmless.
      return
    default:
      throw refuseMethod(method)
  }
}

/**
 * Held replies come first; what the channel holds goes back before close-ok. Whatever the client
 * still sends on the channel would find it gone, so it is ignored from now on.
 */
function close(channel: Channel): void {
  channel.isClosing = true
  channel.mayDeliver = false
  channel.inOrder(() => {
    const { connection } = channel
    channel.release()
    connection.removeChannel(channel)
    connection.outbox.write(writeChannelCloseOk(channel.id))
    connection.markTurn()
  })
}
