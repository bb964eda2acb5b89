import type { IncomingMessage } from "node:http"
import type { Duplex } from "node:stream"
import { WebSocketServer } from "ws"
import type { WebSocket } from "ws"
import type { Clock, TimerHandle } from "../util/clock.ts"
import type { Logger } from "../util/logger.ts"
import { MessageMerger } from "./message-merger.ts"
import type { BytesReceiver } from "./message-merger.ts"
import { isConnected } from "./socket-transport.ts"
import { isAllowedOrigin } from "./websocket-origin.ts"
import { WebSocketTransport } from "./websocket-transport.ts"

/**
 * Turns requests for an upgrade, which an HTTP server hands over, into connections. Knows no AMQP, and
 * listens on no port itself. The payloads of all messages, binary or text, are one stream of bytes.
 */
export interface WebSocketSession extends BytesReceiver {
  onClosed(): void
  /** Nobody has logged in yet. */
  readonly isStarting: boolean
}

export interface WebSocketListenerOptions {
  readonly clock: Clock
  readonly log: Logger
  /** See isAllowedOrigin(). Asked for each connection. */
  allowedOrigins(): readonly string[]
}

/** What one message may hold, before and after login. It is kept until it is whole. */
export const MESSAGE_BYTES_MAX = 16 << 20
export const STARTING_MESSAGE_BYTES_MAX = 64 << 10

const PING_INTERVAL_MS = 30_000
const KEEP_ALIVE_MS = 60_000
const BROKEN_CLOSE_MS = 1000
const VERSION = "13"

export class WebSocketListener {
  readonly #allowedOrigins: () => readonly string[]
  readonly #accept: (transport: WebSocketTransport) => WebSocketSession
  readonly #clock: Clock
  readonly #log: Logger
  /** With the bytes that each had sent at the last ping. */
  readonly #transports = new Map<WebSocketTransport, number>()
  readonly #merger = new MessageMerger()
  #pinging: TimerHandle | null = null
  readonly #server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    skipUTF8Validation: true,
    maxPayload: MESSAGE_BYTES_MAX,
    handleProtocols: (offered) =>
      [...offered].find((name) => name.toLowerCase().startsWith("amqp")) ?? false,
  })

  constructor(
    options: WebSocketListenerOptions,
    accept: (transport: WebSocketTransport) => WebSocketSession,
  ) {
    this.#clock = options.clock
    this.#log = options.log
    this.#allowedOrigins = () => options.allowedOrigins()
    this.#accept = accept
  }

  /** Of an HTTP server's event `upgrade`. The socket is ours from now on; its errors are the caller's. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (request.headers["sec-websocket-version"] !== VERSION)
      refuse(socket, "426 Upgrade Required", "this WebSocket version is not supported", {
        "Sec-WebSocket-Version": VERSION,
      })
    else if (this.#checkOrigin(request, socket))
      this.#server.handleUpgrade(request, socket, head, (webSocket) =>
        this.#attach(webSocket, request),
      )
  }

  #checkOrigin({ headers, socket: { remoteAddress } }: IncomingMessage, socket: Duplex): boolean {
    const { origin, host } = headers
    const isLocal = remoteAddress !== undefined && /^(?:(?:::ffff:)?127\.|::1$)/.test(remoteAddress)
    if (isAllowedOrigin({ origin, host, isLocal }, this.#allowedOrigins())) return true
    this.#log.warn(
      { peer: remoteAddress, origin, host },
      "a web page was refused a WebSocket: see websocket_allowed_origins",
    )
    const reason = "pages of this origin may not connect: see websocket_allowed_origins"
    refuse(socket, "403 Forbidden", reason)
    return false
  }

  #attach(webSocket: WebSocket, { socket }: IncomingMessage): void {
    let isBroken = false
    let deadline: TimerHandle | null = null
    webSocket.on("error", (error) => {
      if (isBroken) return
      isBroken = true
      this.#log.warn({ peer: socket.remoteAddress, reason: error.message }, "WebSocket broken")
      // The library would give the client half a minute to answer the close frame.
      deadline = this.#clock.setTimer(BROKEN_CLOSE_MS, () => webSocket.terminate())
    })
    // A client that has gone meanwhile has no address any more.
    if (!isConnected(socket)) {
      webSocket.terminate()
      return
    }
    socket.setNoDelay(true)
    socket.setKeepAlive(true, KEEP_ALIVE_MS)
    const transport = new WebSocketTransport(webSocket, socket)
    const session = this.#accept(transport)
    let isLimited = limitMessages(webSocket, STARTING_MESSAGE_BYTES_MAX)
    webSocket.on("message", (data) => {
      if (Buffer.isBuffer(data)) this.#merger.add(data, session)
      if (!isLimited) return
      // What a client sends behind its login may be large and begin in the same read.
      this.#merger.flush()
      if (!session.isStarting) isLimited = !limitMessages(webSocket, MESSAGE_BYTES_MAX)
    })
    this.#transports.set(transport, 0)
    webSocket.on("close", () => {
      deadline?.cancel()
      this.#transports.delete(transport)
      if (this.#transports.size === 0) this.close()
      this.#merger.flush()
      session.onClosed()
    })
    if (this.#pinging === null) this.#schedulePings()
  }

  #schedulePings(): void {
    this.#pinging = this.#clock.setTimer(PING_INTERVAL_MS, () => {
      for (const [transport, before] of this.#transports) {
        if (transport.bytesWritten === before) transport.ping()
        this.#transports.set(transport, transport.bytesWritten)
      }
      this.#schedulePings()
    })
  }

  /** No more pings. Connections stay. */
  close(): void {
    this.#pinging?.cancel()
    this.#pinging = null
  }
}

/**
 * The library takes the limit when it is made and has no way to change it. Without this (false) the larger
 * limit holds from the start.
 */
function limitMessages(webSocket: WebSocket, bytes: number): boolean {
  const receiver: unknown = Reflect.get(webSocket, "_receiver")
  if (typeof receiver !== "object" || receiver === null || !("_maxPayload" in receiver))
    return false
  return Reflect.set(receiver, "_maxPayload", bytes)
}

function refuse(
  socket: Duplex,
  status: string,
  reason: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  const lines = Object.entries({
    ...headers,
    "Content-Type": "text/plain",
    "Content-Length": String(reason.length),
    Connection: "close",
  }).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.once("finish", () => socket.destroy())
  socket.end(`HTTP/1.1 ${status}\r\n${lines.join("")}\r\n${reason}`)
}
