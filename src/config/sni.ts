/**
 * Sections `[sni:<host>]` of the configuration file: other TLS settings for clients that ask for that host
 * name. Each key may have the prefix of a protocol, which then wins over the one without.
 */
import { parseBoolean, parsePath, parseTlsVersion } from "./parse-values.ts"

export type SniProtocol = "amqp" | "http"

export interface SniHost {
  /** `mq.example.com`, or `*.example.com` for one label more. */
  readonly host: string
  /** By key, such as tls_cert or http_tls_cert; strings and booleans. */
  readonly values: Readonly<Record<string, unknown>>
}

const KEYS: Readonly<Record<string, (text: string) => unknown>> = {
  tls_cert: parsePath,
  tls_key: parsePath,
  tls_ca_cert: parsePath,
  tls_min_version: parseTlsVersion,
  tls_verify_peer: parseBoolean,
}
const PROTOCOLS: readonly SniProtocol[] = ["amqp", "http"]

/** Of the names that a section can have; null if the text is none. */
export function sniHostOf(section: string): string | null {
  const host = /^sni:(.*)$/.exec(section)?.[1]?.trim().toLowerCase()
  if (host === undefined) return null
  return /^(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/.test(host) ? host : null
}

export const SNI_KEYS: readonly string[] = [
  ...Object.keys(KEYS),
  ...PROTOCOLS.flatMap((protocol) => Object.keys(KEYS).map((key) => `${protocol}_${key}`)),
]

/** Throws RangeError with the end of the sentence "bad value for key: …". Undefined for an unknown key. */
export function parseSniValue(key: string, text: string): unknown {
  if (!SNI_KEYS.includes(key)) return undefined
  return KEYS[key.replace(/^(?:amqp|http)_/, "")]?.(text)
}

/** What the section says for a protocol; undefined if nothing. */
export function sniValue({ values }: SniHost, protocol: SniProtocol, key: string): unknown {
  return values[`${protocol}_${key}`] ?? values[key]
}
