/**
 * The TLS settings with the files that they name, read when a broker starts and again at SIGHUP. Whether a
 * certificate can be used is decided by net/.
 */
import { readFileSync } from "node:fs"
import type { Config } from "./options.ts"
import type { TlsVersion } from "./parse-values.ts"
import { sniValue } from "./sni.ts"
import type { SniHost, SniProtocol } from "./sni.ts"

/** The message says which file, and why not. */
export class TlsFileError extends Error {
  override readonly name = "TlsFileError"
}

export interface TlsFiles {
  readonly cert: Buffer
  readonly key?: Buffer
  readonly ca?: Buffer
  readonly minVersion: TlsVersion
  readonly verifyPeer: boolean
}

export interface TlsFilesByHost extends TlsFiles {
  readonly hosts: Readonly<Record<string, TlsFiles>>
  readonly ciphers: string
  readonly keylogFile: string
}

interface Settings {
  readonly cert: string
  readonly key: string
  readonly caCert: string
  readonly minVersion: TlsVersion
  readonly verifyPeer: boolean
}

/** Null if there is no certificate, and so no TLS. Throws TlsFileError. */
export function readTlsFiles(
  config: Config,
  protocol: SniProtocol,
  env: Readonly<Record<string, string | undefined>>,
): TlsFilesByHost | null {
  const main: Settings = {
    cert: config.tlsCert,
    key: config.tlsKey,
    caCert: config.tlsCaCert,
    minVersion: config.tlsMinVersion,
    verifyPeer: config.tlsVerifyPeer,
  }
  const [first] = config.sni
  if (main.cert === "") {
    if (first !== undefined)
      throw new TlsFileError(`[sni:${first.host}] needs a tls_cert in [main] for all other clients`)
    return null
  }
  const hosts = Object.fromEntries(
    config.sni.map((host) => [host.host, readHost(hostSettings(host, protocol, main), host.host)]),
  )
  const keylogFile =
    config.tlsKeylogFile === "" ? (env["SSLKEYLOGFILE"] ?? "") : config.tlsKeylogFile
  return { ...readHost(main, ""), hosts, ciphers: config.tlsCiphers, keylogFile }
}

/** What a section does not say is as in [main], but for certificate and key. */
function hostSettings(host: SniHost, protocol: SniProtocol, main: Settings): Settings {
  const text = (key: string, otherwise: string): string => {
    const value = sniValue(host, protocol, key)
    return typeof value === "string" ? value : otherwise
  }
  const verifyPeer = sniValue(host, protocol, "tls_verify_peer")
  const minVersion = sniValue(host, protocol, "tls_min_version")
  return {
    cert: text("tls_cert", ""),
    key: text("tls_key", ""),
    caCert: text("tls_ca_cert", main.caCert),
    minVersion: isVersion(minVersion) ? minVersion : main.minVersion,
    verifyPeer: typeof verifyPeer === "boolean" ? verifyPeer : main.verifyPeer,
  }
}

function isVersion(value: unknown): value is TlsVersion {
  return typeof value === "string"
}

function readHost(settings: Settings, host: string): TlsFiles {
  const { cert, key, caCert, minVersion, verifyPeer } = settings
  if (cert === "") throw new TlsFileError(`[sni:${host}] needs a tls_cert`)
  return {
    cert: readPem("certificate", cert),
    ...(key !== "" && { key: readPem("private key", key) }),
    ...(caCert !== "" && { ca: readPem("CA certificate", caCert) }),
    minVersion,
    verifyPeer,
  }
}

function readPem(what: string, path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error)
    throw new TlsFileError(`cannot read the ${what} ${path}: ${code}`, { cause: error })
  }
}
