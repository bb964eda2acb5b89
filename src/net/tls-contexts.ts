import { constants, X509Certificate } from "node:crypto"
import { createSecureContext } from "node:tls"
import type {
  SecureContext,
  SecureContextOptions,
  Server,
  TLSSocket,
  TlsOptions as ServerOptions,
} from "node:tls"
import type { TlsVersion } from "../config/parse-values.ts"
import { KeyLog } from "./key-log.ts"
import { TlsOptionsError } from "./tls-options.ts"
import type { TlsHostOptions, TlsOptions } from "./tls-options.ts"

/**
 * The certificates of a TLS listener by host name, and who may connect. They can be replaced while it
 * listens: all of them or, if one is bad, none. Connections stay with what they were opened with.
 *
 * The runtime chooses a certificate by host name but asks all clients of a server for theirs, or none;
 * so the server asks if one host wants it, and `refusal` compares with the host's rules afterwards.
 * Sessions are not resumed then, because a resumed one is not checked again.
 */
export interface CertificateFacts {
  /** "" for clients that ask for no name that is known. */
  readonly host: string
  readonly subject: string
  readonly fingerprint: string
  readonly notAfterMs: number
}

interface Host {
  readonly name: string
  readonly options: TlsHostOptions
  readonly contextOptions: SecureContextOptions
  readonly context: SecureContext
  readonly certificate: CertificateFacts
}

interface Hosts {
  readonly fallback: Host
  readonly byName: ReadonlyMap<string, Host>
  readonly asksForCertificates: boolean
}

const DEFAULT_MIN_VERSION: TlsVersion = "1.2"
const PROTOCOLS = ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"] as const
const VERSIONS: Readonly<Record<TlsVersion, (typeof PROTOCOLS)[number]>> = {
  "1.0": "TLSv1",
  "1.1": "TLSv1.1",
  "1.2": "TLSv1.2",
  "1.3": "TLSv1.3",
}
/** Clients could ask for handshake after handshake, each of which costs the server more than them. */
const NO_RENEGOTIATION = constants.SSL_OP_NO_RENEGOTIATION
/** Of a handshake; the listener's own limit comes first. */
const HANDSHAKE_TIMEOUT_MS = 15_000

export class TlsContexts {
  #hosts: Hosts
  readonly #servers = new Set<Server>()
  readonly #keyLog: KeyLog

  /** Throws TlsOptionsError. */
  constructor(options: TlsOptions, onKeyLogError: (path: string, error: unknown) => void) {
    this.#hosts = readHosts(options)
    this.#keyLog = new KeyLog(onKeyLogError)
    this.#keyLog.path = options.keylogFile ?? ""
  }

  /** Throws TlsOptionsError, and changes nothing, if one of the certificates cannot be used. */
  update(options: TlsOptions): void {
    this.#hosts = readHosts(options)
    this.#keyLog.path = options.keylogFile ?? ""
    for (const server of this.#servers) this.#apply(server)
  }

  get serverOptions(): ServerOptions {
    return {
      ...this.#hosts.fallback.contextOptions,
      requestCert: this.#hosts.asksForCertificates,
      rejectUnauthorized: false,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      SNICallback: (name, done) => {
        const host = this.#find(name)
        if (host === this.#hosts.fallback) done(null)
        else done(null, host.context)
      },
    }
  }

  /** Of a server that was made with `serverOptions`. */
  attach(server: Server): void {
    this.#servers.add(server)
    server.on("keylog", (line) => this.#keyLog.write(line))
    server.on("close", () => this.#servers.delete(server))
  }

  #apply(server: Server): void {
    server.setSecureContext(this.#hosts.fallback.contextOptions)
    // Read by the runtime for each connection.
    Reflect.set(server, "requestCert", this.#hosts.asksForCertificates)
  }

  /** Why a client whose handshake is done may not go on; null if it may. */
  refusal(socket: TLSSocket): string | null {
    const { options } = this.#find(nameOf(socket))
    const minVersion = VERSIONS[options.minVersion ?? DEFAULT_MIN_VERSION]
    const protocol = PROTOCOLS.findIndex((known) => known === socket.getProtocol())
    if (protocol < PROTOCOLS.indexOf(minVersion))
      return `${String(socket.getProtocol())} is older than ${minVersion}`
    if (options.verifyPeer !== true || hasVerifiedCertificate(socket)) return null
    if (socket.getPeerX509Certificate() === undefined) return "the client has no certificate"
    return `the certificate of the client is not accepted: ${reasonOf(socket.authorizationError)}`
  }

  /** The client's certificate was asked for and is one of the authority of the host. */
  isVerified(socket: TLSSocket): boolean {
    return this.#find(nameOf(socket)).options.verifyPeer === true && hasVerifiedCertificate(socket)
  }

  get certificates(): readonly CertificateFacts[] {
    const { fallback, byName } = this.#hosts
    return [fallback, ...byName.values()].map(({ certificate }) => certificate)
  }

  /** Exact names come before `*.`, which stands for one label. */
  #find(name: string): Host {
    const { fallback, byName } = this.#hosts
    const lower = name.toLowerCase().replace(/\.$/, "")
    const dot = lower.indexOf(".")
    return byName.get(lower) ?? (dot > 0 ? byName.get(`*${lower.slice(dot)}`) : null) ?? fallback
  }
}

function nameOf(socket: TLSSocket): string {
  // The runtime has false for a client that asks for no name.
  const name: unknown = Reflect.get(socket, "servername")
  return typeof name === "string" ? name : ""
}

/** The runtime calls a resumed session without certificate authorized. */
function hasVerifiedCertificate(socket: TLSSocket): boolean {
  return (
    socket.authorized && !socket.isSessionReused() && socket.getPeerX509Certificate() !== undefined
  )
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function readHosts(options: TlsOptions): Hosts {
  const entries = Object.entries(options.hosts ?? {})
  const all = [options, ...entries.map(([, host]) => host)]
  const asksForCertificates = all.some(({ verifyPeer }) => verifyPeer === true)
  const fallback = readHost("", options, options.ciphers, asksForCertificates)
  const byName = new Map<string, Host>()
  for (const [name, host] of entries) {
    if (!/^(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/i.test(name))
      throw new TlsOptionsError(`'${name}' is neither a host name nor *. and a domain`)
    const lower = name.toLowerCase()
    byName.set(lower, readHost(lower, host, options.ciphers, asksForCertificates))
  }
  return { fallback, byName, asksForCertificates }
}

function readHost(
  name: string,
  options: TlsHostOptions,
  ciphers: string | undefined,
  neverResumes: boolean,
): Host {
  const where = name === "" ? "" : ` for ${name}`
  const { cert, key = cert, ca, minVersion = DEFAULT_MIN_VERSION, verifyPeer } = options
  if (verifyPeer === true && ca === undefined)
    throw new TlsOptionsError(`client certificates are to be checked${where}, but there is no CA`)
  const contextOptions: SecureContextOptions = {
    cert,
    key,
    minVersion: VERSIONS[minVersion],
    ...(ca !== undefined && { ca }),
    ...(ciphers !== undefined && ciphers !== "" && { ciphers, honorCipherOrder: true }),
    secureOptions: NO_RENEGOTIATION | (neverResumes ? constants.SSL_OP_NO_TICKET : 0),
  }
  try {
    const { subject, fingerprint256, validTo } = new X509Certificate(cert)
    const notAfterMs = Date.parse(validTo)
    return {
      name,
      options,
      contextOptions,
      context: createSecureContext(contextOptions),
      certificate: {
        host: name,
        subject: oneLine(subject),
        fingerprint: fingerprint256,
        notAfterMs,
      },
    }
  } catch (error) {
    throw new TlsOptionsError(`the certificate${where} cannot be used: ${reasonOf(error)}`, {
      cause: error,
    })
  }
}

/** As in RFC 4514: the most special part first. The runtime has one line for each part, escaped. */
export function oneLine(name: string): string {
  return name.split("\n").toReversed().join(",")
}
