import {
  ACCESS_REQUEST,
  readAccessRequest,
  writeAccessRequestOk,
} from "../../amqp/generated/methods.ts"
import type { AmqpReader } from "../../amqp/reader.ts"
import type { Channel } from "../channel.ts"
import { refuseMethod } from "./refuse.ts"

/** Class access (30): deprecated, still answered, because old clients ask. The ticket means nothing. */
export function handleAccess(channel: Channel, method: number, reader: AmqpReader): void {
  if (method !== ACCESS_REQUEST) throw refuseMethod(method)
  readAccessRequest(reader)
  channel.reply(writeAccessRequestOk(channel.id, { ticket: 1 }))
}
