import { SystemClock } from "../util/clock.ts"
import type { Clock } from "../util/clock.ts"
import { ClientConnection } from "./connection.ts"
import { ClientError } from "./errors.ts"
import type { ConnectOptions } from "./options.ts"
import { OutputPool } from "./output.ts"
import { SocketDialer } from "./socket-dialer.ts"
import type { Dialer } from "./transport.ts"
import { parseUri } from "./uri.ts"

/**
 * Opens connections that share a dialer, a clock and a pool of output chunks. The only thing of the
 * client that a program makes itself.
 */
export interface ClientOptions {
  readonly clock?: Clock
  /** Default: sockets. */
  readonly dialer?: Dialer
}

export class AmqpClient {
  readonly #clock: Clock
  readonly #dialer: Dialer
  readonly #pool = new OutputPool()

  constructor(options: ClientOptions = {}) {
    this.#clock = options.clock ?? new SystemClock()
    this.#dialer = options.dialer ?? new SocketDialer()
  }

  /** A URI, or options; `overrides` win over what a URI says. Rejects with ClientError. */
  async connect(
    target: string | ConnectOptions,
    overrides: ConnectOptions = {},
  ): Promise<ClientConnection> {
    const { connection } = this.start(target, overrides)
    await connection.opened
    return connection
  }

  /** The same, for those who want to end an attempt before it has come to anything. */
  start(
    target: string | ConnectOptions,
    overrides: ConnectOptions = {},
  ): { readonly connection: ClientConnection } {
    const options = { ...(typeof target === "string" ? parseUri(target) : target), ...overrides }
    checkNames(options)
    this.#clock.refresh()
    return { connection: new ClientConnection(options, this.#dialer, this.#clock, this.#pool) }
  }
}

function checkNames(options: ConnectOptions): void {
  if (Buffer.byteLength(options.vhost ?? "", "utf8") > 255)
    throw new ClientError("usage", "the name of the vhost is longer than 255 bytes")
}
