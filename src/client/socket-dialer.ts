import { connect } from "node:net"
import type { Socket, TcpNetConnectOpts } from "node:net"
import { connect as connectTls } from "node:tls"
import type { ConnectionOptions } from "node:tls"
import { Chunk } from "../util/bytes.ts"
import { messageOf } from "./errors.ts"
import type { ClientTransport, Dialer, DialTarget, TransportCallbacks } from "./transport.ts"

/**
 * Connections over TCP, TLS and Unix sockets: the client's door to the network. Knows no AMQP.
 */

const READ_BUFFER_BYTES = 128 << 10
const KEEP_ALIVE_MS = 60_000

export class SocketDialer implements Dialer {
  /** One for all plain sockets: what a read brings is worked through before the next begins. */
  #readBuffer: Chunk | null = null
  readonly #readBufferBytes: number

  constructor(readBufferBytes = READ_BUFFER_BYTES) {
    this.#readBufferBytes = readBufferBytes
  }

  dial(target: DialTarget, callbacks: TransportCallbacks): ClientTransport {
    try {
      return target.tls === null ? this.#dialPlain(target, callbacks) : dialTls(target, callbacks)
    } catch (error) {
      // A port that is none, a certificate that cannot be read.
      return new FailedTransport(callbacks, new Error(messageOf(error)))
    }
  }

  #dialPlain(target: DialTarget, callbacks: TransportCallbacks): ClientTransport {
    const buffer = (this.#readBuffer ??= Chunk.allocate(this.#readBufferBytes))
    const onread = {
      buffer: buffer.bytes,
      callback: (size: number): boolean => {
        callbacks.onChunk(buffer, size)
        return true // Who wants a pause calls pause().
      },
    }
    const socket =
      target.socketPath === undefined
        ? connect({ ...tcpOptions(target), onread })
        : connect({ path: target.socketPath, onread })
    attach(socket, "connect", callbacks)
    return socket
  }
}

function dialTls(target: DialTarget, callbacks: TransportCallbacks): ClientTransport {
  const socket = connectTls(tlsOptions(target))
  attach(socket, "secureConnect", callbacks)
  socket.on("data", (bytes: Buffer) => callbacks.onChunk(new Chunk(bytes), bytes.length))
  return socket
}

function tcpOptions(target: DialTarget): TcpNetConnectOpts {
  return {
    host: target.host === "" ? "localhost" : target.host,
    port: target.port,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: target.keepAliveMs ?? KEEP_ALIVE_MS,
    ...(target.localAddress === undefined ? {} : { localAddress: target.localAddress }),
  }
}

function tlsOptions(target: DialTarget): ConnectionOptions {
  const { tls } = target
  const options: ConnectionOptions =
    target.socketPath === undefined ? { ...tcpOptions(target) } : { path: target.socketPath }
  options.rejectUnauthorized = tls?.verify ?? true
  const name = tls?.serverName === undefined ? target.host : tls.serverName
  // An address is no server name (RFC 6066 §3); the certificate is compared with the host then.
  if (name !== null && name !== "" && !/^[\d.]+$|:/.test(name)) options.servername = name
  if (tls?.ca !== undefined) options.ca = tls.ca
  if (tls?.cert !== undefined) options.cert = tls.cert
  if (tls?.key !== undefined) options.key = tls.key
  if (tls?.passphrase !== undefined) options.passphrase = tls.passphrase
  return options
}

function attach(
  socket: Socket,
  opened: "connect" | "secureConnect",
  callbacks: TransportCallbacks,
): void {
  let failure: Error | null = null
  socket.setNoDelay(true)
  socket.once(opened, () => callbacks.onOpen())
  socket.on("error", (error: Error) => {
    failure ??= error
  })
  // With `onread`, nobody reads the stream's end: the socket is ended here.
  socket.on("end", () => socket.destroy())
  socket.on("close", () => callbacks.onClosed(failure))
}

/** Nothing was opened; says so in the next turn, as a socket would. */
class FailedTransport implements ClientTransport {
  readonly writableLength = 0

  constructor(callbacks: TransportCallbacks, error: Error) {
    process.nextTick(() => callbacks.onClosed(error))
  }

  write(): void {}
  pause(): void {}
  resume(): void {}
  end(): void {}
  destroy(): void {}
}
