import { ClientError } from "./errors.ts"
import type { ConnectOptions, Mechanism } from "./options.ts"
import { readPem } from "./tls-files.ts"
import type { TlsOptions } from "./transport.ts"

/**
 * AMQP URIs with RabbitMQ's query parameters, as connect options and without the secrets.
 *
 *   amqp://user:password@host:port/vhost?heartbeat=10&connection_timeout=5000
 *   amqps://host/vhost?cacertfile=/ca.pem&certfile=/me.pem&keyfile=/me.key&verify=verify_peer
 *   amqp+unix://user:password@/run/sluice.sock?vhost=orders
 *
 * User, password and vhost are percent-encoded. No path, and a path of `/` alone, mean the vhost `/`.
 * A parameter that is unknown is ignored, as RabbitMQ does; a known one with a bad value is refused.
 */
const MECHANISMS: Readonly<Record<string, Mechanism>> = {
  plain: "PLAIN",
  amqplain: "AMQPLAIN",
  external: "EXTERNAL",
}

type Writable<T> = { -readonly [K in keyof T]: T[K] }

/** Throws ClientError (usage). Certificates are read from their files here. */
export function parseUri(text: string): ConnectOptions {
  const uri = parse(text)
  const isTls = uri.protocol === "amqps:"
  const isUnix = uri.protocol === "amqp+unix:"
  const query = uri.searchParams
  const options: Writable<ConnectOptions> = {
    host: uri.hostname.replace(/^\[(.*)\]$/, "$1"),
    tls: isTls ? tlsOptions(query) : null,
  }
  if (uri.port !== "") options.port = Number(uri.port)
  if (uri.username !== "") options.username = decode(uri.username, "user name")
  if (uri.password !== "") options.password = decode(uri.password, "password")
  if (isUnix) {
    if (uri.pathname.length < 2) throw bad("a Unix socket needs a path")
    options.socketPath = decode(uri.pathname, "path")
    options.vhost = query.get("vhost") ?? "/"
  } else options.vhost = uri.pathname.length < 2 ? "/" : decode(uri.pathname.slice(1), "vhost")
  readParameters(query, options)
  return options
}

/** Name and password replaced, for logs and headers: `amqp://host:5673/vhost`. */
export function withoutCredentials(text: string): string {
  try {
    const uri = parse(text)
    uri.username = ""
    uri.password = ""
    uri.search = ""
    return uri.href
  } catch {
    return "invalid URI" // Whatever it is, it may hold a password.
  }
}

function parse(text: string): URL {
  let uri: URL
  try {
    // A user needs a host beside it; a socket has none.
    uri = new URL(text.replace(/^(amqp\+unix:\/\/[^/]+@)\//, "$1localhost/"))
  } catch {
    throw bad("it is no URI") // The text may hold a password: it is not repeated.
  }
  if (!/^amqps?:$|^amqp\+unix:$/.test(uri.protocol))
    throw bad(`the scheme must be amqp, amqps or amqp+unix, not ${uri.protocol.slice(0, -1)}`)
  return uri
}

function readParameters(query: URLSearchParams, options: Writable<ConnectOptions>): void {
  const heartbeat = integer(query, "heartbeat", 65_535)
  if (heartbeat !== null) options.heartbeatSeconds = heartbeat
  const channelMax = integer(query, "channel_max", 65_535)
  if (channelMax !== null) options.channelMax = channelMax
  const frameMax = integer(query, "frame_max", 2 ** 31)
  if (frameMax !== null) options.frameMax = frameMax
  const timeout = integer(query, "connection_timeout", 2 ** 31 - 1)
  if (timeout !== null && timeout > 0) options.connectTimeoutMs = timeout
  const name = query.get("name")
  if (name !== null) options.name = name
  const mechanisms = query.getAll("auth_mechanism").map((value) => {
    const mechanism = MECHANISMS[value.toLowerCase()]
    if (mechanism === undefined)
      throw bad(`auth_mechanism must be plain, amqplain or external, not '${value}'`)
    return mechanism
  })
  if (mechanisms.length > 0) options.mechanisms = mechanisms
}

function tlsOptions(query: URLSearchParams): TlsOptions {
  const verify = query.get("verify") ?? "verify_peer"
  if (!["verify_peer", "verify_none", "none"].includes(verify))
    throw bad(`verify must be verify_peer or verify_none, not '${verify}'`)
  const tls: Writable<TlsOptions> = { verify: verify === "verify_peer" }
  const serverName = query.get("server_name_indication")
  if (serverName !== null) tls.serverName = serverName === "disable" ? null : serverName
  const ca = query.get("cacertfile")
  if (ca !== null) tls.ca = readPem(ca, "cacertfile")
  const cert = query.get("certfile")
  if (cert !== null) tls.cert = readPem(cert, "certfile")
  const key = query.get("keyfile")
  if (key !== null) tls.key = readPem(key, "keyfile")
  const passphrase = query.get("password")
  if (passphrase !== null) tls.passphrase = passphrase
  if ((cert === null) !== (key === null)) throw bad("certfile and keyfile go together")
  return tls
}

function integer(query: URLSearchParams, name: string, max: number): number | null {
  const text = query.get(name)
  if (text === null) return null
  const value = Number(text)
  if (!/^\d+$/.test(text) || value > max)
    throw bad(`${name} must be a number from 0 to ${String(max)}, not '${text}'`)
  return value
}

function decode(text: string, what: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw bad(`the ${what} is not percent-encoded as it should be`)
  }
}

function bad(message: string): ClientError {
  return new ClientError("usage", `bad AMQP URI: ${message}`)
}
