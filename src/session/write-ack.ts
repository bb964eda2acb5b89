import { FRAME_END, FRAME_METHOD } from "../amqp/frames.ts"
import { BASIC_ACK } from "../amqp/generated/methods.ts"
import type { Outbox } from "./outbox.ts"

/** basic.ack for a publisher, without the detour over a Buffer. */
export function writeAck(
  outbox: Outbox,
  channelId: number,
  deliveryTag: number,
  multiple: boolean,
): void {
  const chunk = outbox.reserve(21)
  const { view } = chunk
  const at = outbox.used
  view.setUint8(at, FRAME_METHOD)
  view.setUint16(at + 1, channelId)
  view.setUint32(at + 3, 13)
  view.setUint32(at + 7, BASIC_ACK)
  view.setUint32(at + 11, (deliveryTag / 0x1_0000_0000) >>> 0)
  view.setUint32(at + 15, deliveryTag >>> 0)
  view.setUint8(at + 19, multiple ? 1 : 0)
  view.setUint8(at + 20, FRAME_END)
  outbox.used = at + 21
}
