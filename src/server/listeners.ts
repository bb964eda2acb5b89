import type { Listener } from "../http/api.ts"
import type { KeepAlive } from "../config/parse-values.ts"
import { TrustedSources } from "../net/proxy-policy.ts"
import { SocketListener } from "../net/socket-listener.ts"
import type { Entrance, SocketListenerOptions } from "../net/socket-listener.ts"
import type { TlsOptions } from "../net/tls-options.ts"
import type { Certificates } from "./certificates.ts"
import { listenOnAll, listenOnFd, listenOnPath } from "./listen-error.ts"
import { StartError } from "./start-error.ts"

/** Everything that AMQP clients can connect to, and what the management says about it. */
export interface AmqpListenOptions {
  /** Addresses to listen on, with and without TLS. Default 127.0.0.1. */
  readonly host?: string | readonly string[]
  /** 0 takes a free port, null listens on none. Default 5672. */
  readonly port?: number | null
  /** Default: no TLS. */
  readonly tls?: TlsListenOptions | null
  /** Path of a Unix socket. Default: none. */
  readonly unixPath?: string | null
  /** Rights of its file. Default 0o666: everybody on the machine may connect. */
  readonly unixMode?: number
  readonly tcp?: TcpOptions
  readonly proxyProtocol?: ProxyProtocolOptions
  /** Listening sockets that were opened by whoever has started the process. They stand for `port` or `tls.port`. */
  readonly activated?: { readonly plain?: readonly number[]; readonly tls?: readonly number[] }
}

export interface TlsListenOptions extends TlsOptions {
  /** 0 takes a free port, null listens on none. Default 5671 for AMQP, 15671 for HTTP. */
  readonly port?: number | null
}

export interface TcpOptions {
  /** Small segments are sent at once. Default true. */
  readonly noDelay?: boolean
  /** Seconds of silence, seconds between probes, and probes until a peer counts as gone. Default 60, 10, 3. */
  readonly keepAlive?: KeepAlive | null
}

/** Proxies that say in front of a connection whose it is. */
export interface ProxyProtocolOptions {
  /** On TCP, with and without TLS. Default false. */
  readonly tcp?: boolean
  /** On the Unix socket. Default false. */
  readonly unix?: boolean
  /** Addresses and networks of the proxies. Default: any. */
  readonly trustedSources?: readonly string[]
}

const DEFAULT_HOST = "127.0.0.1"
const DEFAULT_PORT = 5672
const DEFAULT_TLS_PORT = 5671
const DEFAULT_UNIX_MODE = 0o666
const KEEP_ALIVE: KeepAlive = { idle: 60, interval: 10, count: 3 }
const FLAGS = { port: "--amqp-port", bind: "--bind" }
const TLS_FLAGS = { port: "--amqps-port", bind: "--bind" }

export interface ListenersContext extends Pick<SocketListenerOptions, "accept" | "clock" | "log"> {
  readonly certificates: Certificates
}

export class Listeners {
  /** `127.0.0.1:5672`, `[::1]:5672`, `127.0.0.1:5671 (TLS)`, `/run/sluice.sock` */
  readonly addresses: string[] = []
  /** For the management. */
  readonly facts: Listener[] = []
  port = 0
  tlsPort = 0
  readonly #listener: SocketListener
  readonly #context: ListenersContext
  readonly #options: AmqpListenOptions
  readonly #plain: Entrance = { tls: null, proxy: null }
  readonly #unix: Entrance = { tls: null, proxy: null }
  #encrypted: Entrance = { tls: null, proxy: null }

  constructor(context: ListenersContext, options: AmqpListenOptions) {
    const { noDelay = true, keepAlive = KEEP_ALIVE } = options.tcp ?? {}
    this.#context = context
    this.#options = options
    const { accept, clock, log } = context
    this.#listener = new SocketListener({ accept, clock, log, noDelay, keepAlive })
  }

  /** Throws StartError. */
  async open(): Promise<void> {
    const { host = DEFAULT_HOST, port = DEFAULT_PORT, activated, unixPath, tls } = this.#options
    this.#encrypted = { tls: this.#context.certificates.open("amqps", tls), proxy: null }
    this.#useProxyProtocol(this.#options.proxyProtocol ?? {})
    if (activated?.plain !== undefined && activated.plain.length > 0)
      for (const fd of activated.plain) await this.#listenFd("amqp", fd, this.#plain)
    else if (port !== null)
      await listenOnAll(host, port, FLAGS, async (address) => {
        // A free port is chosen once and used for all addresses.
        const wanted = port === 0 ? this.port : port
        this.port = (await this.#listener.listen(address, wanted, this.#plain)).port
        this.#opened("amqp", address, this.port)
      })
    if (unixPath !== undefined && unixPath !== null && unixPath !== "") {
      const mode = this.#options.unixMode ?? DEFAULT_UNIX_MODE
      await listenOnPath(() => this.#listener.listenUnix(unixPath, mode, this.#unix))
      this.#openedUnix("amqp", unixPath)
    }
    if (tls !== undefined && tls !== null) await this.#openTls(host, tls, activated?.tls ?? [])
  }

  async #openTls(
    host: string | readonly string[],
    { port = DEFAULT_TLS_PORT }: TlsListenOptions,
    fds: readonly number[],
  ): Promise<void> {
    for (const fd of fds) await this.#listenFd("amqps", fd, this.#encrypted)
    if (fds.length > 0 || port === null) return
    await listenOnAll(host, port, TLS_FLAGS, async (address) => {
      const wanted = port === 0 ? this.tlsPort : port
      this.tlsPort = (await this.#listener.listen(address, wanted, this.#encrypted)).port
      this.#opened("amqps", address, this.tlsPort)
    })
  }

  async #listenFd(protocol: "amqp" | "amqps", fd: number, entrance: Entrance): Promise<void> {
    const bound = await listenOnFd(fd, () => this.#listener.listenFd(fd, entrance))
    if (typeof bound === "string") {
      this.#openedUnix(protocol, bound)
      return
    }
    if (protocol === "amqp") this.port = bound.port
    else this.tlsPort = bound.port
    this.#opened(protocol, bound.address, bound.port)
  }

  #opened(protocol: "amqp" | "amqps", host: string, port: number): void {
    this.addresses.push(shownAddress(host, port) + (protocol === "amqps" ? " (TLS)" : ""))
    this.facts.push({ protocol, ip_address: host, port })
  }

  #openedUnix(protocol: string, path: string): void {
    this.addresses.push(path)
    this.facts.push({ protocol, ip_address: path, port: 0 })
  }

  /** Certificates and proxies, for connections from then on. What cannot be used changes nothing. */
  reconfigure({ tls, proxyProtocol }: AmqpListenOptions): void {
    if (tls !== undefined) this.#context.certificates.replace("amqps", tls)
    if (proxyProtocol === undefined) return
    try {
      this.#useProxyProtocol(proxyProtocol)
    } catch (error) {
      if (!(error instanceof StartError)) throw error
      this.#context.log.error({ reason: error.message }, "the trusted proxies stay as they were")
    }
  }

  /** Throws StartError. */
  #useProxyProtocol(options: ProxyProtocolOptions): void {
    const { tcp = false, unix = false, trustedSources = [] } = options
    let sources: TrustedSources
    try {
      sources = new TrustedSources(trustedSources)
    } catch (error) {
      if (error instanceof RangeError) throw new StartError(error.message, { cause: error })
      throw error
    }
    this.#plain.proxy = tcp ? sources : null
    this.#encrypted.proxy = tcp ? sources : null
    this.#unix.proxy = unix ? sources : null
    if (tcp && trustedSources.length === 0)
      this.#context.log.warn(
        {},
        "PROXY headers of anybody are believed: name the proxies in proxy_protocol_trusted_sources",
      )
  }

  /** Stops accepting. Connections stay. */
  close(): void {
    this.#listener.close()
  }
}

export function shownAddress(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`
}
