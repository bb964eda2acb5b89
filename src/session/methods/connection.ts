import { ProtocolError } from "../../amqp/errors.ts"
import {
  CONNECTION_UPDATE_SECRET,
  isKnownMethod,
  readConnectionUpdateSecret,
} from "../../amqp/generated/methods.ts"
import type { AmqpReader } from "../../amqp/reader.ts"
import type { Connection } from "../connection.ts"
import { refuseMethod } from "./refuse.ts"

/**
 * Methods of class connection (10) after the handshake, but close and close-ok. update-secret renews
 * expiring credentials; a password does not expire, so the answer is a refusal, as RabbitMQ's
 * backends give it.
 */
export function handleUpdateSecret(
  _connection: Connection,
  method: number,
  reader: AmqpReader,
): void {
  if (method === CONNECTION_UPDATE_SECRET) {
    readConnectionUpdateSecret(reader)
    throw new ProtocolError(530, "New secret was refused by one of the backends")
  }
  if (isKnownMethod(method))
    throw new ProtocolError(504, "unexpected method in connection state running")
  throw refuseMethod(method)
}
