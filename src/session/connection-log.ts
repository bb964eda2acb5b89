import { METHOD_NAMES } from "../amqp/generated/methods.ts"
import type { ConnectionClose } from "../amqp/generated/methods.ts"
import type { Logger } from "../util/logger.ts"

/** What the log says of connections and channels: who it is, what ended, who ended it, and why. */

interface Logged {
  readonly name: string
  readonly clientName: string
  readonly user: { readonly name: string } | null
  readonly vhost: { readonly name: string } | null
  readonly broker: { readonly log: Logger }
}

/** Of reasons, which clients choose. */
const REASON_SIZE_MAX = 500

const FORCED = 320
const SUCCESS = 200
const REFUSED = 403

function identity({ name, clientName, user, vhost }: Logged): Record<string, string> {
  return {
    connection: name,
    ...(clientName === "" ? {} : { client: clientName.slice(0, 255) }),
    ...(user === null ? {} : { user: user.name }),
    ...(vhost === null ? {} : { vhost: vhost.name }),
  }
}

export function logOpened(connection: Logged, mechanism: string): void {
  connection.broker.log.info({ ...identity(connection), mechanism }, "connection opened")
}

/** A stop of the broker, or an operator, is nobody's fault. */
export function logClosedByBroker(connection: Logged, code: number, reason: string): void {
  if (code === REFUSED && connection.user === null) return // The refused login has been logged.
  const { log } = connection.broker
  const fields = { ...identity(connection), code, reason: reason.slice(0, REASON_SIZE_MAX) }
  if (code === FORCED) log.info(fields, "connection closed by the broker")
  else log.warn(fields, "connection closed by the broker because of an error")
}

export function logClosedByClient(connection: Logged, close: ConnectionClose): void {
  const { log } = connection.broker
  const { replyCode: code, replyText } = close
  const fields = { ...identity(connection), code, reason: replyText.slice(0, REASON_SIZE_MAX) }
  if (code === SUCCESS || code === 0 || code === FORCED)
    log.info(fields, "connection closed by the client")
  else log.warn(fields, "connection closed by the client because of an error")
}

/** Nothing can be said to the client. */
export function logDropped(connection: Logged, reason: string, fields: object = {}): void {
  connection.broker.log.warn({ ...identity(connection), reason, ...fields }, "connection dropped")
}

/** Probes that only open a connection are many, and nobody's concern. */
export function logLost(connection: Logged, wasOpen: boolean): void {
  const { log } = connection.broker
  if (wasOpen) log.warn(identity(connection), "connection lost: the client did not close it")
  else log.debug(identity(connection), "connection lost before it was open")
}

export function logChannelError(
  connection: Logged,
  channel: number,
  { code, reason, method }: { code: number; reason: string; method: number },
): void {
  connection.broker.log.warn(
    {
      ...identity(connection),
      channel,
      code,
      method: METHOD_NAMES.get(method) ?? "none",
      reason: reason.slice(0, REASON_SIZE_MAX),
    },
    "channel closed because of an error",
  )
}
