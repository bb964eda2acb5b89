/**
 * The one error of the client. `kind` says what happened, so that a caller decides by it and not by the
 * text; code, reply text and method are the server's own words where it said any.
 */
export type ClientErrorKind =
  /** No connection came about: name not found, refused, TLS failed. */
  | "connect"
  /** The server did not answer in time. */
  | "timeout"
  /** The server refused the credentials. */
  | "authentication"
  /** The server closed the connection, or refused to open it. */
  | "connection-closed"
  /** The server closed the channel. */
  | "channel-closed"
  /** The stream broke without a goodbye. */
  | "connection-lost"
  /** Nothing was heard from the server for two heartbeat intervals. */
  | "heartbeat"
  /** The server sent something that AMQP does not allow. */
  | "protocol"
  /** This side closed the connection or the channel. */
  | "closed"
  /** The caller asked for something impossible. */
  | "usage"
  /** A callback of the caller threw. */
  | "callback"

export interface ServerReply {
  readonly code: number
  readonly text: string
  /** `queue.declare`; empty if the server named none. */
  readonly method: string
}

export class ClientError extends Error {
  override readonly name = "ClientError"
  readonly kind: ClientErrorKind
  /** Reply code of the server, 0 if it gave none. */
  readonly code: number
  /** Reply text of the server, such as `NOT_FOUND - no queue 'q' in vhost '/'`. */
  readonly replyText: string
  readonly method: string

  constructor(
    kind: ClientErrorKind,
    message: string,
    options: { readonly reply?: ServerReply; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? {} : { cause: options.cause })
    this.kind = kind
    this.code = options.reply?.code ?? 0
    this.replyText = options.reply?.text ?? ""
    this.method = options.reply?.method ?? ""
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
