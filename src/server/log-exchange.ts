import { encodeProperties } from "../amqp/properties.ts"
import type { BasicProperties } from "../amqp/properties.ts"
import type { Broker } from "../broker/broker.ts"
import { declareLogExchange, LOG_EXCHANGES } from "../broker/log-exchanges.ts"
import type { LogExchangeName } from "../broker/log-exchanges.ts"
import { IncomingMessage } from "../broker/message.ts"
import type { Vhost } from "../broker/vhost.ts"
import { Chunk } from "../util/bytes.ts"
import type { LogEntry, LogListener, LogRing } from "../util/log-ring.ts"

/**
 * The log as messages: each line is published to the exchanges that RabbitMQ and LavinMQ have for it, with
 * the severity as routing key in their spelling. For who is bound there; without a binding nothing happens.
 *
 * The log must neither wait for the broker nor feed on itself: lines are taken into a bounded list and
 * published after the turn, and a line that comes while one is published is not published. Under an alarm
 * nothing is published, as for every publisher.
 */
const VHOST = "/"
/** Lines that wait; the oldest make room. */
const WAITING_MAX = 1024
const LINES_PER_TURN = 64

/** Levels of the ring as others call them. */
const KEYS: Readonly<Record<LogExchangeName, Readonly<Record<string, string>>>> = {
  "amq.rabbitmq.log": { debug: "debug", info: "info", warn: "warning", error: "error" },
  "amq.lavinmq.log": { debug: "Debug", info: "Info", warn: "Warn", error: "Error" },
}

export class LogExchange implements LogListener {
  readonly #broker: Broker
  readonly #ring: LogRing
  readonly #isOn: boolean
  #waiting: LogEntry[] = []
  #droppedCount = 0
  #isScheduled = false
  #isPublishing = false
  #isClosed = false

  constructor(broker: Broker, ring: LogRing, isOn: boolean) {
    this.#broker = broker
    this.#ring = ring
    this.#isOn = isOn
  }

  /**
   * The vhosts are loaded. Without the option exchanges of an earlier start go, unless somebody has bound
   * something that would go with them.
   */
  start(): void {
    const vhost = this.#broker.vhosts.get(VHOST)
    if (!this.#isOn) {
      for (const name of LOG_EXCHANGES)
        if (vhost?.exchanges.get(name)?.bindings.size === 0) vhost.exchangeDeleted(name)
      return
    }
    if (vhost === undefined)
      this.#broker.log.warn({ vhost: VHOST }, "log_exchange has no effect: there is no such vhost")
    else for (const name of LOG_EXCHANGES) declareLogExchange(vhost, name)
    this.#ring.listen(this)
  }

  logged(entry: LogEntry): void {
    if (this.#isPublishing || !this.#isBound) return
    if (this.#waiting.length >= WAITING_MAX) {
      this.#waiting.shift()
      this.#droppedCount++
    }
    this.#waiting.push(entry)
    this.#schedule()
  }

  closed(): void {
    this.#isClosed = true
    this.#waiting = []
  }

  get #isBound(): boolean {
    const exchanges = this.#broker.vhosts.get(VHOST)?.exchanges
    return LOG_EXCHANGES.some((name) => (exchanges?.get(name)?.bindings.size ?? 0) > 0)
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    this.#broker.clock.setImmediate(() => this.#publishWaiting())
  }

  #publishWaiting(): void {
    this.#isScheduled = false
    const vhost = this.#broker.vhosts.get(VHOST)
    if (this.#isClosed || vhost === undefined || this.#broker.alarmReason !== null) {
      this.#waiting = []
      return
    }
    this.#isPublishing = true
    try {
      if (this.#droppedCount > 0) this.#publish(vhost, leftOut(this.#broker, this.#droppedCount))
      this.#droppedCount = 0
      for (const entry of this.#waiting.splice(0, LINES_PER_TURN)) this.#publish(vhost, entry)
    } finally {
      this.#isPublishing = false
    }
    if (this.#waiting.length > 0) this.#schedule()
  }

  #publish(vhost: Vhost, entry: LogEntry): void {
    for (const name of LOG_EXCHANGES) {
      const exchange = vhost.exchanges.get(name)
      const key = KEYS[name][entry.level]
      if (exchange === undefined || exchange.bindings.size === 0 || key === undefined) continue
      const properties: BasicProperties = {
        contentType: "text/plain",
        timestamp: BigInt(Math.floor(entry.timeMs / 1000)),
        headers: new Map([
          ["level", entry.level],
          ["source", entry.source],
        ]),
      }
      const message = messageOf(exchange.nameBytes, key, properties, bodyOf(name, entry))
      message.timestampMs = entry.timeMs
      vhost.publishMessage(exchange, [key], message, properties, null)
    }
    this.#broker.turn.schedule()
  }
}

function leftOut({ clock }: Broker, count: number): LogEntry {
  const text = `${String(count)} lines were left out: too many at a time`
  return {
    id: 0,
    timeMs: clock.nowMs,
    level: "warn",
    source: "broker",
    text,
    message: text,
    fields: "{}",
  }
}

/** As the one and the other broker writes it. */
function bodyOf(name: LogExchangeName, { timeMs, level, source, message }: LogEntry): string {
  return name === "amq.lavinmq.log"
    ? `${source} - ${message}`
    : `${new Date(timeMs).toISOString()} [${level}] ${message}`
}

function messageOf(
  exchangeName: Buffer,
  routingKey: string,
  properties: BasicProperties,
  text: string,
): IncomingMessage {
  const key = Buffer.from(routingKey)
  const route = Buffer.concat([exchangeName, Buffer.of(key.length), key])
  const encoded = encodeProperties(properties)
  const body = Buffer.from(text)
  const message = new IncomingMessage()
  message.route = new Chunk(route)
  message.routeEnd = route.length
  message.properties = new Chunk(encoded)
  message.propertiesEnd = encoded.length
  message.body = new Chunk(body)
  message.bodyEnd = body.length
  return message
}
