import { ProtocolError } from "../amqp/errors.ts"
import {
  FRAME_MIN_SIZE,
  FRAME_OVERHEAD,
  PROTOCOL_HEADER,
  PROTOCOL_HEADER_OLD,
} from "../amqp/frames.ts"
import {
  CONNECTION_CLOSE,
  CONNECTION_CLOSE_OK,
  CONNECTION_OPEN,
  CONNECTION_START_OK,
  CONNECTION_TUNE,
  CONNECTION_TUNE_OK,
  readConnectionOpen,
  readConnectionStartOk,
  readConnectionTuneOk,
  writeConnectionCloseOk,
  writeConnectionOpenOk,
  writeConnectionStart,
  writeConnectionTune,
} from "../amqp/generated/methods.ts"
import type { ConnectionStartOk } from "../amqp/generated/methods.ts"
import type { AmqpReader } from "../amqp/reader.ts"
import { isTable, tableFromPlain } from "../amqp/table.ts"
import type { Table } from "../amqp/table.ts"
import { decodeTableEntries, encodeTableEntries } from "../amqp/table-codec.ts"
import type { LoginResult } from "../auth/logins.ts"
import type { User } from "../auth/users.ts"
import { assert } from "../util/assert.ts"
import type { Chunk } from "../util/bytes.ts"
import type { Connection } from "./connection.ts"
import { logDropped, logOpened } from "./connection-log.ts"

/**
 * From the protocol header to connection.open: version, SASL, limits, vhost. Ends by calling
 * Connection.start. Before that nothing may be sent but what is expected next.
 */

/** The RabbitMQ whose behaviour clients may expect: some look at it and refuse to work with an old one. */
const COMPATIBLE_VERSION = "4.1.0"

/**
 * The AMQP library of Kombu, which asks brokers that are not named RabbitMQ for a limit of the channel
 * by global=false, and raises it for each task that waits for its time. If that counted for later
 * consumers only, a few such tasks would hold a Celery worker up.
 */
const KOMBU_PRODUCT = "py-amqp"

/** Frame limit before tune (RabbitMQ's initial_frame_max since 4.1). */
export const HANDSHAKE_FRAME_MAX = 8192
/** Clients that take frame-max for the size of the payload are let through, as by RabbitMQ. */
export const FRAME_SIZE_TOLERANCE = FRAME_OVERHEAD

const MECHANISMS = "PLAIN AMQPLAIN"
/** For clients with a certificate that was verified, and those of this process. */
const MECHANISMS_WITH_EXTERNAL = `${MECHANISMS} EXTERNAL`
const LOCALES = "en_US"
const CAPABILITIES = {
  publisher_confirms: true,
  exchange_exchange_bindings: true,
  "basic.nack": true,
  consumer_cancel_notify: true,
  "connection.blocked": true,
  consumer_priorities: true,
  authentication_failure_close: true,
  per_consumer_qos: true,
  direct_reply_to: true,
}

/** Instead of a method: the password is being compared. */
const NOTHING = -1

const HEADER_SIZE = PROTOCOL_HEADER.length

export class Handshake {
  isDone = false
  #expected = CONNECTION_START_OK
  #header = Buffer.alloc(HEADER_SIZE)
  #headerUsed = 0
  readonly #connection: Connection

  constructor(connection: Connection) {
    this.#connection = connection
  }

  /** What RabbitMQ calls it in its error texts. */
  get state(): string {
    if (this.#expected === CONNECTION_OPEN) return "opening"
    return this.#expected === CONNECTION_TUNE_OK ? "tuning" : "starting"
  }

  get isHeaderDone(): boolean {
    return this.#headerUsed === HEADER_SIZE
  }

  /** Takes bytes of the protocol header; returns the offset behind them. A foreign one ends the connection. */
  readHeader(chunk: Chunk, end: number): number {
    const size = Math.min(end, HEADER_SIZE - this.#headerUsed)
    chunk.bytes.copy(this.#header, this.#headerUsed, 0, size)
    this.#headerUsed += size
    const received = this.#header.subarray(0, this.#headerUsed)
    const isAccepted =
      received.equals(PROTOCOL_HEADER.subarray(0, this.#headerUsed)) ||
      received.equals(PROTOCOL_HEADER_OLD.subarray(0, this.#headerUsed))
    const connection = this.#connection
    if (!isAccepted) {
      logDropped(connection, "the client does not speak AMQP 0-9-1", {
        received: received.toString("latin1").replaceAll(/[^ -~]/g, "."),
      })
      connection.outbox.write(PROTOCOL_HEADER)
      connection.closeTransport()
      return end
    }
    if (this.isHeaderDone) this.#send(this.#startFrame())
    return size
  }

  #startFrame(): Buffer {
    const { options, broker } = this.#connection
    return writeConnectionStart(0, {
      versionMajor: 0,
      versionMinor: 9,
      serverProperties: tableFromPlain({
        product: "Sluice",
        version: COMPATIBLE_VERSION,
        sluice_version: options.productVersion,
        platform: `Node.js ${process.versions.node}`,
        copyright: "Copyright (c) 2026 the Sluice authors",
        information: "Licensed under the Apache License 2.0",
        cluster_name: broker.announcedClusterName,
        capabilities: CAPABILITIES,
      }),
      mechanisms: Buffer.from(
        this.#mayLogInWithoutPassword ? MECHANISMS_WITH_EXTERNAL : MECHANISMS,
      ),
      locales: Buffer.from(LOCALES),
    })
  }

  onMethod(method: number, reader: AmqpReader): void {
    if (method === CONNECTION_CLOSE) {
      this.#send(writeConnectionCloseOk(0))
      this.#connection.closeTransport()
      return
    }
    if (method === CONNECTION_CLOSE_OK) {
      this.#connection.closeTransport()
      return
    }
    if (method !== this.#expected)
      throw new ProtocolError(504, `unexpected method in connection state ${this.state}`)
    if (method === CONNECTION_START_OK) this.#startOk(readConnectionStartOk(reader))
    else if (method === CONNECTION_TUNE_OK) this.#tuneOk(reader)
    else this.#open(readConnectionOpen(reader).vhost)
  }

  #startOk(args: ConnectionStartOk): void {
    const connection = this.#connection
    const capabilities = args.clientProperties.get("capabilities")
    const can = (name: string): boolean => isTable(capabilities) && capabilities.get(name) === true
    connection.wantsConsumerCancel = can("consumer_cancel_notify")
    connection.wantsBlocked = can("connection.blocked")
    connection.changesPresentConsumers = args.clientProperties.get("product") === KOMBU_PRODUCT
    const clientName = args.clientProperties.get("connection_name")
    if (typeof clientName === "string") connection.clientName = clientName
    connection.clientPropertyBytes = encodeTableEntries(args.clientProperties)
    connection.mechanism = args.mechanism
    const answer = this.#login(args)
    const maySay = can("authentication_failure_close")
    const answered = (result: LoginResult): void => {
      if (result === null || result === "too-many") this.#refuseLogin(args.mechanism, maySay)
      else this.#accept(result)
    }
    if (!(answer instanceof Promise)) {
      answered(answer)
      return
    }
    this.#expected = NOTHING // The client has to wait for tune.
    void this.#awaitLogin(answer, answered)
  }

  #login({ mechanism, response }: ConnectionStartOk): LoginResult | Promise<LoginResult> {
    const { broker, name: from, transport } = this.#connection
    const address = transport.isUnix === true ? null : transport.remoteAddress
    const attempt = { protocol: "amqp", address, from } as const
    if (mechanism === "EXTERNAL" && transport.internalUser !== undefined)
      return transport.internalUser
    if (mechanism === "EXTERNAL" && this.#certificateName !== null)
      return broker.logins.loginByName({ ...attempt, name: this.#certificateName })
    const credentials = readCredentials(mechanism, response)
    return credentials === null
      ? broker.logins.refuse({ ...attempt, name: "" })
      : broker.logins.login({ ...attempt, ...credentials })
  }

  get #mayLogInWithoutPassword(): boolean {
    return this.#certificateName !== null || this.#connection.transport.internalUser !== undefined
  }

  /** Of the client's certificate; null if it has none that was verified, or none with such a name. */
  get #certificateName(): string | null {
    const { transport, options } = this.#connection
    const certificate = transport.encryption?.certificate
    if (certificate?.isVerified !== true) return null
    return options.certificateLoginFrom === "distinguished_name"
      ? certificate.distinguishedName
      : certificate.commonName
  }

  async #awaitLogin(
    answer: Promise<LoginResult>,
    answered: (result: LoginResult) => void,
  ): Promise<void> {
    const connection = this.#connection
    try {
      const result = await answer
      if (connection.isStarting) answered(result)
    } catch (error) {
      connection.failHandshake(error)
    }
  }

  #accept(user: User): void {
    const connection = this.#connection
    connection.user = user
    const { options } = connection
    this.#expected = CONNECTION_TUNE_OK
    this.#send(
      writeConnectionTune(0, {
        channelMax: options.channelMax,
        frameMax: options.frameMax,
        heartbeat: options.heartbeatSeconds,
      }),
    )
  }

  /** The same for an unknown user, a wrong password and a forbidden address. */
  #refuseLogin(mechanism: string, mayTell: boolean): void {
    const connection = this.#connection
    if (mayTell)
      connection.close(
        403,
        `Login was refused using authentication mechanism ${mechanism}. For details see the broker logfile.`,
        CONNECTION_START_OK >>> 16,
        CONNECTION_START_OK & 0xffff,
      )
    else connection.closeTransport()
  }

  #tuneOk(reader: AmqpReader): void {
    const { channelMax, frameMax, heartbeat } = readConnectionTuneOk(reader)
    const connection = this.#connection
    const { options } = connection
    checkNegotiated("frame_max", frameMax, FRAME_MIN_SIZE, options.frameMax)
    checkNegotiated("channel_max", channelMax, 1, options.channelMax)
    connection.frameMax = frameMax
    connection.channelMax = channelMax
    connection.heartbeatSeconds = heartbeat
    this.#expected = CONNECTION_OPEN
  }

  #open(vhostName: string): void {
    const connection = this.#connection
    const { broker } = connection
    const { user } = connection
    assert(user !== null, "open comes after start-ok")
    // RabbitMQ's order. The limit of a vhost that does not exist is no limit.
    const { admission, userLimits } = broker
    if (!connection.isInternal) admission.checkNode()
    const vhost = broker.vhosts.get(vhostName)
    if (vhost === undefined) throw notAllowed(`vhost ${vhostName} not found`)
    if (!connection.isInternal) {
      admission.checkVhost(vhostName, user.name, vhost.limits.maxConnections)
      admission.checkUser(user.name, userLimits.of(user.name))
    }
    if (!broker.permissions.mayConnect(user, vhostName))
      throw notAllowed(`access to vhost '${vhostName}' refused for user '${user.name}'`)
    connection.start(vhost, { permissions: broker.permissions, user, vhostName })
    this.isDone = true
    this.#send(writeConnectionOpenOk(0))
    logOpened(connection, connection.mechanism)
  }

  #send(frame: Buffer): void {
    this.#connection.outbox.write(frame)
    this.#connection.markTurn()
  }
}

interface Credentials {
  readonly name: string
  readonly password: string
}

/** Null if the response does not have the form of its mechanism. */
function readCredentials(mechanism: string, response: Buffer): Credentials | null {
  switch (mechanism) {
    case "PLAIN": {
      // authorisation id NUL name NUL password; the first is ignored, as RabbitMQ does.
      const first = response.indexOf(0)
      const second = response.indexOf(0, first + 1)
      if (first < 0 || second < 0) return null
      return {
        name: response.toString("utf8", first + 1, second),
        password: response.toString("utf8", second + 1),
      }
    }
    case "AMQPLAIN": {
      const table = readLoginTable(response)
      const name = table?.get("LOGIN")
      const password = table?.get("PASSWORD")
      if (typeof name !== "string" || typeof password !== "string") return null
      return { name, password }
    }
    default:
      throw new ProtocolError(503, `unknown authentication mechanism '${mechanism}'`)
  }
}

/** The entries of a table without its length. */
function readLoginTable(response: Buffer): Table | null {
  try {
    return decodeTableEntries(response)
  } catch (error) {
    if (error instanceof ProtocolError) return null
    throw error
  }
}

/** What the client made of our tune: the error names that method. */
function checkNegotiated(field: string, value: number, min: number, max: number): void {
  const shown = value === 0 ? `${value} (no limit)` : `${value}`
  let reason = ""
  if (max > 0 && (value === 0 || value > max))
    reason = `higher than the maximum allowed value (${max})`
  else if (value !== 0 && value < min) reason = `lower than the minimum allowed value (${min})`
  if (reason !== "")
    throw new ProtocolError(
      530,
      `negotiated ${field} = ${shown} is ${reason}`,
      CONNECTION_TUNE >>> 16,
      CONNECTION_TUNE & 0xffff,
    )
}

function notAllowed(text: string): ProtocolError {
  return new ProtocolError(530, text)
}
