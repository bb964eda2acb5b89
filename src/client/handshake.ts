import { PROTOCOL_HEADER } from "../amqp/frames.ts"
import {
  CONNECTION_CLOSE,
  CONNECTION_OPEN_OK,
  CONNECTION_SECURE,
  CONNECTION_START,
  CONNECTION_TUNE,
  METHOD_NAMES,
  readConnectionClose,
  readConnectionStart,
  readConnectionTune,
  writeConnectionCloseOk,
  writeConnectionOpen,
  writeConnectionStartOk,
  writeConnectionTuneOk,
} from "../amqp/generated/methods.ts"
import type { AmqpReader } from "../amqp/reader.ts"
import { ProtocolError } from "../amqp/errors.ts"
import { EMPTY_TABLE, tableFromPlain } from "../amqp/table.ts"
import type { PlainRecord, Table } from "../amqp/table.ts"
import { writeTable } from "../amqp/table-codec.ts"
import { AmqpWriter } from "../amqp/writer.ts"
import { ClientError } from "./errors.ts"
import { CHANNEL_MAX, FRAME_MAX } from "./options.ts"
import type { ConnectOptions, Mechanism } from "./options.ts"

/**
 * From the protocol header to connection.open-ok: login and tuning. Bytes come and go through the
 * connection; here is what to say and what to make of the answers.
 */
const CAPABILITIES = {
  publisher_confirms: true,
  exchange_exchange_bindings: true,
  "basic.nack": true,
  consumer_cancel_notify: true,
  "connection.blocked": true,
  consumer_priorities: true,
  authentication_failure_close: true,
  per_consumer_qos: true,
}

/** Below it nothing works, whatever the server says. */
const FRAME_MAX_MIN = 4096

export class Handshake {
  /** As negotiated, once `isDone`. */
  channelMax = 0
  frameMax = FRAME_MAX
  heartbeatSeconds = 0
  serverProperties: Table = EMPTY_TABLE
  isDone = false
  #hasSentLogin = false
  readonly #options: ConnectOptions
  readonly #send: (bytes: Uint8Array) => void

  constructor(options: ConnectOptions, send: (bytes: Uint8Array) => void) {
    this.#options = options
    this.#send = send
  }

  start(): void {
    this.#send(PROTOCOL_HEADER)
  }

  /** Why the stream may have ended just now. */
  get lossHint(): string {
    if (!this.#hasSentLogin) return "the server closed the connection before the login"
    return "the server closed the connection after the login; the credentials may be wrong"
  }

  /** Throws ProtocolError, or ClientError if the server refuses. */
  onMethod(method: number, reader: AmqpReader): void {
    switch (method) {
      case CONNECTION_START:
        this.#login(reader)
        return
      case CONNECTION_SECURE:
        throw new ClientError("authentication", "the server asks for another round of the login")
      case CONNECTION_TUNE:
        this.#tune(reader)
        return
      case CONNECTION_OPEN_OK:
        this.isDone = true
        return
      case CONNECTION_CLOSE:
        this.#refused(reader)
        return
      default:
        throw new ProtocolError(
          503,
          `${METHOD_NAMES.get(method) ?? "an unknown method"} during the handshake`,
        )
    }
  }

  #login(reader: AmqpReader): void {
    const start = readConnectionStart(reader)
    this.serverProperties = start.serverProperties
    const offered = start.mechanisms.toString("utf8").split(" ")
    const wanted = this.#options.mechanisms ?? ["PLAIN", "AMQPLAIN"]
    const mechanism = wanted.find((name) => offered.includes(name))
    if (mechanism === undefined)
      throw new ClientError(
        "authentication",
        `the server offers ${offered.join(", ")}, none of ${wanted.join(", ")}`,
      )
    this.#hasSentLogin = true
    this.#send(
      writeConnectionStartOk(0, {
        clientProperties: clientProperties(this.#options),
        mechanism,
        response: response(mechanism, this.#options),
        locale: "en_US",
      }),
    )
  }

  #tune(reader: AmqpReader): void {
    if (!this.#hasSentLogin) throw new ProtocolError(503, "connection.tune before connection.start")
    const server = readConnectionTune(reader)
    const options = this.#options
    this.channelMax = smaller(server.channelMax, options.channelMax ?? 0) || CHANNEL_MAX
    this.frameMax = smaller(server.frameMax, options.frameMax ?? FRAME_MAX)
    if (this.frameMax < FRAME_MAX_MIN)
      throw new ProtocolError(501, `frame_max of ${String(this.frameMax)} bytes`)
    // As RabbitMQ's clients: zero wins only if both sides want none.
    const heartbeat = options.heartbeatSeconds ?? server.heartbeat
    this.heartbeatSeconds = smaller(server.heartbeat, heartbeat)
    this.#send(
      writeConnectionTuneOk(0, {
        channelMax: this.channelMax,
        frameMax: this.frameMax,
        heartbeat: this.heartbeatSeconds,
      }),
    )
    this.#send(writeConnectionOpen(0, { vhost: options.vhost ?? "/" }))
  }

  #refused(reader: AmqpReader): void {
    const close = readConnectionClose(reader)
    this.#send(writeConnectionCloseOk(0))
    const reply = { code: close.replyCode, text: close.replyText, method: "connection.open" }
    // RabbitMQ answers a wrong password with 403, and an unknown vhost or a missing permission with 530.
    const kind = close.replyCode === 403 ? "authentication" : "connection-closed"
    throw new ClientError(kind, `${String(close.replyCode)} ${close.replyText}`, { reply })
  }
}

/** The smaller one; 0 says "no limit". */
function smaller(a: number, b: number): number {
  return a === 0 || b === 0 ? Math.max(a, b) : Math.min(a, b)
}

function clientProperties(options: ConnectOptions): Table {
  const properties: Record<string, PlainRecord[string]> = {
    product: "Sluice client",
    platform: `Node.js ${process.version}`,
    capabilities: CAPABILITIES,
  }
  if (options.name !== undefined) properties["connection_name"] = options.name
  return tableFromPlain({ ...properties, ...options.clientProperties })
}

function response(mechanism: Mechanism, options: ConnectOptions): Buffer {
  const username = options.username ?? "guest"
  const password = options.password ?? "guest"
  if (mechanism === "PLAIN") return Buffer.from(`\0${username}\0${password}`, "utf8")
  if (mechanism === "EXTERNAL") return Buffer.from(options.username ?? "", "utf8")
  // A field table without its length.
  const writer = new AmqpWriter()
  writeTable(writer, tableFromPlain({ LOGIN: username, PASSWORD: password }))
  return Buffer.from(writer.written().subarray(4))
}
