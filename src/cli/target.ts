/**
 * Which broker a command talks to: options win over a context, that over the environment, and without any
 * of them it is the control socket of a broker on this machine. Opens nothing but the files it has to read.
 */
import { join } from "node:path"
import { Contexts } from "./contexts.ts"
import type { SavedTarget } from "./contexts.ts"
import { given } from "./environment.ts"
import type { Environment } from "./environment.ts"
import { CliError, EXIT, usageError } from "./exit-codes.ts"
import { exists, readTextIfPresent } from "./files.ts"
import type { Endpoint } from "./transport.ts"
import type { Values } from "./values.ts"

export interface Credentials {
  readonly user: string
  readonly password: string
}

export interface Target {
  /** In the order in which they are tried. */
  readonly endpoints: readonly Endpoint[]
  /** Null over a control socket. */
  readonly credentials: Credentials | null
  /** What the paths of the API stand behind; empty or as `/proxy`. */
  readonly prefix: string
  /** For messages, without password. */
  readonly name: string
  /** What to say if there is nothing at any of the endpoints. */
  readonly unreachable: string
}

const HTTP_PORT = 15_672
const HTTPS_PORT = 15_671
const SOCKET_NAME = "control.sock"
/** A Linux socket address holds no more. */
const SOCKET_PATH_SIZE_MAX = 107

export function resolveTarget(options: Values, env: Environment): Target {
  const url = urlOf(options)
  const socketPath = options.optional("control-unix-path")
  if (url !== null && socketPath !== undefined)
    throw usageError("--control-unix-path cannot be combined with the address of a remote broker")
  if (url !== null) return remoteTarget(url, options, env)
  if (socketPath !== undefined) return socketTarget([socketPath], false)
  const contextName = options.optional("context") ?? given(env, "SLUICECTL_CONTEXT")
  const contexts = new Contexts(env)
  if (contextName !== undefined) return savedTarget(contexts.get(contextName), options, env)
  const host = given(env, "SLUICECTL_HOST")
  if (host !== undefined) return remoteTarget(host, options, env)
  const environmentPath = given(env, "SLUICE_CONTROL_UNIX_PATH")
  // The broker reads the variable, too, and knows these words.
  if (environmentPath !== undefined && !["auto", "off"].includes(environmentPath))
    return socketTarget([environmentPath], false)
  const { current } = contexts
  if (current !== null) return savedTarget(contexts.get(current), options, env)
  return socketTarget(defaultSocketPaths(env), true)
}

/** Null if the command line names no remote broker. */
function urlOf(options: Values): string | null {
  const uri = options.optional("uri") ?? options.optional("host")
  const parts = ["hostname", "port", "scheme"].filter(
    (name) => options.optional(name) !== undefined,
  )
  if (uri !== undefined) {
    if (parts.length > 0) throw usageError(`--uri cannot be combined with --${String(parts[0])}`)
    return uri
  }
  const hasUser = options.optional("user") !== undefined
  if (parts.length === 0) return hasUser && !namesTarget(options) ? "http://localhost" : null
  const scheme = options.optional("scheme") ?? "http"
  const host = options.optional("hostname") ?? "localhost"
  const port = options.optional("port")
  const bracketed = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host
  return `${scheme}://${bracketed}${port === undefined ? "" : `:${port}`}`
}

function namesTarget(options: Values): boolean {
  return (
    options.optional("context") !== undefined || options.optional("control-unix-path") !== undefined
  )
}

function defaultSocketPaths(env: Environment): string[] {
  const directory = given(env, "SLUICE_DATADIR")
  const paths = directory === undefined ? [] : [join(directory, SOCKET_NAME)]
  return [...paths, `./data/${SOCKET_NAME}`, `/var/lib/sluice/${SOCKET_NAME}`]
}

function socketTarget(paths: readonly string[], isSearch: boolean): Target {
  for (const path of paths)
    if (Buffer.byteLength(path) > SOCKET_PATH_SIZE_MAX)
      throw usageError(
        `the path of the control socket is longer than ${String(SOCKET_PATH_SIZE_MAX)} bytes: ${path}`,
      )
  const found = paths.filter((path) => exists(path))
  const tried = paths.join(", ")
  const advice = "start the broker, or name it with --control-unix-path or --uri"
  const unreachable = isSearch
    ? `no broker on this machine: no control socket at ${tried} (${advice})`
    : `no broker at the control socket ${tried} (${advice})`
  if (found.length === 0) throw new CliError(EXIT.unavailable, unreachable)
  return {
    endpoints: found.map((path) => ({ kind: "unix", path })),
    credentials: null,
    prefix: "",
    name: `the control socket ${found.join(", ")}`,
    unreachable,
  }
}

function savedTarget(saved: SavedTarget, options: Values, env: Environment): Target {
  return remoteTarget(saved.uri, options, env, saved)
}

function remoteTarget(
  text: string,
  options: Values,
  env: Environment,
  saved: Omit<SavedTarget, "uri"> = {},
): Target {
  const url = parseUrl(text)
  const isSecure = url.protocol === "https:"
  const user =
    options.optional("user") ??
    orNone(decode(url.username)) ??
    saved.user ??
    given(env, "SLUICECTL_USER") ??
    "guest"
  const password =
    options.optional("password") ??
    orNone(decode(url.password)) ??
    saved.password ??
    given(env, "SLUICECTL_PASSWORD") ??
    (user === "guest" ? "guest" : undefined)
  if (password === undefined)
    throw usageError(`a password is needed for ${user}: set SLUICECTL_PASSWORD`)
  const port = url.port === "" ? (isSecure ? HTTPS_PORT : HTTP_PORT) : Number(url.port)
  const host = url.hostname.replace(/^\[|\]$/g, "")
  const name = `${url.protocol}//${url.hostname}:${String(port)}`
  const certificateFile = options.optional("cacert")
  const certificates = certificateFile === undefined ? null : readCertificates(certificateFile)
  return {
    endpoints: [
      { kind: "tcp", isSecure, host, port, certificates, isInsecure: options.isOn("insecure") },
    ],
    credentials: { user, password },
    prefix: url.pathname.replace(/\/+(api\/?)?$/, ""),
    name,
    unreachable: `no broker at ${name}`,
  }
}

/** Also `host:15672`, without a scheme. Never shows the text: it may hold a password. */
export function parseUrl(text: string): URL {
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`
  const url = URL.canParse(full) ? new URL(full) : null
  if (url === null || !["http:", "https:"].includes(url.protocol) || url.hostname === "")
    throw usageError("the address of the broker is no URL such as https://user@host:15671")
  return url
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function orNone(text: string): string | undefined {
  return text === "" ? undefined : text
}

function readCertificates(path: string): Buffer {
  const text = readTextIfPresent(path)
  if (text === null) throw usageError(`there is no file ${path} for --cacert`)
  if (!text.includes("-----BEGIN CERTIFICATE-----"))
    throw new CliError(EXIT.config, `${path} holds no certificate in PEM format`)
  return Buffer.from(text)
}
