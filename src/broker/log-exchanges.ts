import { EMPTY_TABLE } from "../amqp/table.ts"
import type { Vhost } from "./vhost.ts"

/**
 * The exchanges on which RabbitMQ and LavinMQ publish their logs. They are there if an option asks for
 * them; what is published to them is the server's business (server/log-exchange.ts).
 */
export const LOG_EXCHANGES = ["amq.rabbitmq.log", "amq.lavinmq.log"] as const

export type LogExchangeName = (typeof LOG_EXCHANGES)[number]

export function isLogExchange(name: string): name is LogExchangeName {
  return LOG_EXCHANGES.some((known) => known === name)
}

/** Nothing happens if it is there. */
export function declareLogExchange(vhost: Vhost, name: LogExchangeName): void {
  if (vhost.exchanges.has(name)) return
  vhost.declareExchange({
    name,
    type: "topic",
    passive: false,
    durable: true,
    autoDelete: false,
    internal: true,
    isReserved: true,
    arguments: EMPTY_TABLE,
  })
}
