import { ProtocolError } from "../../amqp/errors.ts"
import {
  CONNECTION_UPDATE_SECRET,
  isKnownMethod,
  readConnectionUpdateSecret,
  writeConnectionUpdateSecretOk,
} from "../../amqp/generated/methods.ts"
import type { AmqpReader } from "../../amqp/reader.ts"
import type { Connection } from "../connection.ts"
import { refuseMethod } from "./refuse.ts"

/**
 * Methods of class connection (10) after the handshake, but close and close-ok. update-secret renews
 * credentials that expire; a password does not, so there is nothing to do but to say so (RabbitMQ).
 */
export function handleConnection(connection: Connection, method: number, reader: AmqpReader): void {
  if (method !== CONNECTION_UPDATE_SECRET) {
    if (!isKnownMethod(method)) throw refuseMethod(method)
    throw new ProtocolError(504, "unexpected method in connection state running")
  }
  readConnectionUpdateSecret(reader)
  connection.outbox.write(writeConnectionUpdateSecretOk(0))
  connection.markTurn()
}
