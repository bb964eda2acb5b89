import type { TlsContexts } from "../net/tls-contexts.ts"
import type { HttpServer } from "./http-server.ts"
import { listenOnAll, listenOnFd, listenOnPath } from "./listen-error.ts"
import type { TlsListenOptions } from "./listeners.ts"

/** Everything that clients of the HTTP API can connect to, but for the control socket. */
export interface HttpListenOptions {
  /** Addresses to listen on, with and without TLS. Default 127.0.0.1. */
  readonly host?: string | readonly string[]
  /** 0 takes a free port, null listens on none. Default 15672. */
  readonly port?: number | null
  /** Default: no TLS. */
  readonly tls?: TlsListenOptions | null
  /** Path of a Unix socket. Requests over it need a login as all others. Default: none. */
  readonly unixPath?: string | null
  /** Rights of its file. Default 0o666: everybody on the machine may connect. */
  readonly unixMode?: number
  /** Listening sockets that were opened by whoever has started the process. They stand for `port` or `tls.port`. */
  readonly activated?: { readonly plain?: readonly number[]; readonly tls?: readonly number[] }
}

const DEFAULT_HOST = "127.0.0.1"
const DEFAULT_PORT = 15_672
const DEFAULT_TLS_PORT = 15_671
const DEFAULT_UNIX_MODE = 0o666
const FLAGS = { port: "--http-port", bind: "--http-bind" }
const TLS_FLAGS = { port: "--https-port", bind: "--http-bind" }

/** `contexts` has the certificates of `options.tls`. Throws StartError. */
export async function openHttpListeners(
  server: HttpServer,
  options: HttpListenOptions,
  contexts: TlsContexts | null,
): Promise<void> {
  const { host = DEFAULT_HOST, port = DEFAULT_PORT, tls, unixPath, activated } = options
  const plain = activated?.plain ?? []
  for (const fd of plain) await listenOnFd(fd, () => server.listenFd(fd, null))
  if (plain.length === 0 && port !== null)
    await listenOnAll(host, port, FLAGS, async (address) => {
      await server.listen(address, port === 0 ? server.port : port)
    })
  if (unixPath !== undefined && unixPath !== null && unixPath !== "")
    await listenOnPath(() =>
      server.listenUnix(unixPath, { mode: options.unixMode ?? DEFAULT_UNIX_MODE }),
    )
  if (contexts === null) return
  const encrypted = activated?.tls ?? []
  for (const fd of encrypted) await listenOnFd(fd, () => server.listenFd(fd, contexts))
  const tlsPort = tls?.port === undefined ? DEFAULT_TLS_PORT : tls.port
  if (encrypted.length > 0 || tlsPort === null) return
  await listenOnAll(host, tlsPort, TLS_FLAGS, async (address) => {
    await server.listenTls(address, tlsPort === 0 ? server.tlsPort : tlsPort, contexts)
  })
}
