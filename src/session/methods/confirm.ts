import {
  CONFIRM_SELECT,
  readConfirmSelect,
  writeConfirmSelectOk,
} from "../../amqp/generated/methods.ts"
import type { AmqpReader } from "../../amqp/reader.ts"
import { Refusal } from "../../broker/errors.ts"
import type { Channel } from "../channel.ts"
import { refuseMethod } from "./refuse.ts"

/** Class confirm (85), RabbitMQ's publisher confirms. Selecting twice is harmless. */
export function handleConfirm(channel: Channel, method: number, reader: AmqpReader): void {
  if (method !== CONFIRM_SELECT) throw refuseMethod(method)
  const { nowait } = readConfirmSelect(reader)
  if (channel.transaction !== null)
    throw new Refusal("precondition-failed", "cannot switch from tx to confirm mode")
  channel.selectConfirms()
  if (!nowait) channel.reply(writeConfirmSelectOk(channel.id))
}
