import { activatedSockets } from "../config/activation.ts"
import type { Config } from "../config/options.ts"
import { PORT_OFF, keepAliveOf } from "../config/parse-values.ts"
import type { SniProtocol } from "../config/sni.ts"
import { TlsFileError, readTlsFiles } from "../config/tls-files.ts"
import type { Logger } from "../util/logger.ts"
import type { HttpListenOptions } from "./http-listeners.ts"
import type { AmqpListenOptions, ProxyProtocolOptions, TlsListenOptions } from "./listeners.ts"
import { StartError } from "./start-error.ts"

/** From the table of options to the listeners. */
export type Environment = Readonly<Record<string, string | undefined>>

interface ListenOptions {
  readonly amqp: AmqpListenOptions
  readonly http: HttpListenOptions | null
}

/** Throws StartError if a file of a certificate cannot be read. */
export function listenOptionsOf(config: Config, env: Environment): ListenOptions {
  const sockets = activatedSockets(env, process.pid)
  const fdsOf = (name: string): readonly number[] => sockets.get(name) ?? []
  const tls = tlsOf(config, "amqp", config.amqpTlsPort, env)
  return {
    amqp: {
      host: config.bind,
      port: portOf(config.amqpPort),
      tls,
      unixPath: config.amqpUnixPath,
      unixMode: Number.parseInt(config.amqpUnixMode, 8),
      tcp: { noDelay: config.tcpNodelay, keepAlive: keepAliveOf(config.tcpKeepAlive) },
      proxyProtocol: proxyProtocolOf(config),
      activated: { plain: fdsOf(config.amqpSocketName), tls: fdsOf(config.amqpTlsSocketName) },
    },
    http: httpOf(config, env, {
      plain: fdsOf(config.httpSocketName),
      tls: fdsOf(config.httpTlsSocketName),
    }),
  }
}

/** Null if nothing is to listen. */
function httpOf(
  config: Config,
  env: Environment,
  activated: NonNullable<HttpListenOptions["activated"]>,
): HttpListenOptions | null {
  const tls = tlsOf(config, "http", config.httpTlsPort, env)
  const { httpPort, httpTlsPort, httpUnixPath } = config
  const listens =
    httpPort !== PORT_OFF ||
    httpUnixPath !== "" ||
    (tls !== null && httpTlsPort !== PORT_OFF) ||
    Object.values(activated).some((fds) => fds.length > 0)
  if (!listens) return null
  return {
    host: config.httpBind,
    port: portOf(httpPort),
    tls,
    unixPath: httpUnixPath,
    unixMode: Number.parseInt(config.httpUnixMode, 8),
    activated,
  }
}

function portOf(port: number): number | null {
  return port === PORT_OFF ? null : port
}

function proxyProtocolOf(config: Config): ProxyProtocolOptions {
  return {
    tcp: config.tcpProxyProtocol,
    unix: config.unixProxyProtocol,
    trustedSources: config.proxyProtocolTrustedSources,
  }
}

function tlsOf(
  config: Config,
  protocol: SniProtocol,
  port: number,
  env: Environment,
): TlsListenOptions | null {
  try {
    const files = readTlsFiles(config, protocol, env)
    return files === null ? null : { ...files, port: portOf(port) }
  } catch (error) {
    if (error instanceof TlsFileError)
      throw new StartError(`TLS: ${error.message}`, { cause: error })
    throw error
  }
}

/** What of it can be changed while the broker runs. Certificates that cannot be read stay as they were. */
export function reloadedListenOptionsOf(
  config: Config,
  env: Environment,
  log: Logger,
): { readonly amqp: AmqpListenOptions; readonly http?: HttpListenOptions } {
  const proxyProtocol = proxyProtocolOf(config)
  try {
    const amqp = { proxyProtocol, tls: tlsOf(config, "amqp", config.amqpTlsPort, env) }
    return { amqp, http: { tls: tlsOf(config, "http", config.httpTlsPort, env) } }
  } catch (error) {
    if (!(error instanceof StartError)) throw error
    log.error({ reason: error.message }, "the certificates stay as they were")
    return { amqp: { proxyProtocol } }
  }
}
