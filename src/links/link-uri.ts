import { parseUri, withoutCredentials } from "../client/uri.ts"
import { messageOf } from "../client/errors.ts"
import type { Random } from "../util/random.ts"
import { isSecretName, REDACTED } from "../util/redact.ts"

/**
 * URIs of links as parameters hold them: one, or a list of which one is taken at random with each
 * attempt. What is shown of them never holds a password. What a URI means is client/uri.ts.
 */

/** Of a list; more would only be a mistake. */
const URIS_MAX = 100

/** Null if the value is neither a string nor a list of strings, or is empty. */
export function uriList(value: unknown): readonly string[] | null {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value]
  if (list.length === 0 || list.length > URIS_MAX) return null
  const uris: string[] = []
  for (const uri of list) {
    if (typeof uri !== "string" || uri === "") return null
    uris.push(uri)
  }
  return uris
}

export function pickUri(uris: readonly string[], random: Random): string {
  const index = uris.length === 1 ? 0 : random.bytes(4).readUInt32BE(0) % uris.length
  return uris[index]!
}

/** Why it is no AMQP URI that can be used; null if it is one. The reason holds no password. */
export function amqpUriProblem(uri: string): string | null {
  try {
    parseUri(uri)
    return null
  } catch (error) {
    return messageOf(error)
  }
}

export function isHttpUri(uri: string): boolean {
  return /^https?:/i.test(uri)
}

/** Leads to this broker without a socket and as its internal user: no host and no user. */
export function isLocalUri(uri: string): boolean {
  if (isHttpUri(uri)) return false
  try {
    const { host = "", username, socketPath } = parseUri(uri)
    return host === "" && username === undefined && socketPath === undefined
  } catch {
    return false
  }
}

/** Of a local URI; also for one that is not: the vhost at the other end. */
export function vhostOfUri(uri: string): string {
  return parseUri(uri).vhost ?? "/"
}

/** Without user, password and query, for logs, headers and listings. */
export function redactedUri(uri: string): string {
  if (!isHttpUri(uri)) return withoutCredentials(uri)
  try {
    const url = new URL(uri)
    url.username = ""
    url.password = ""
    url.search = ""
    return url.href
  } catch {
    return "invalid URI"
  }
}

/**
 * The value of a parameter for those who may see that it is there, but not its secrets: URIs without
 * credentials, secrets by their name.
 */
export function redactedValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item: unknown) => redactedValue(item))
  if (typeof value !== "object" || value === null)
    return typeof value === "string" && value.includes("://") ? redactedUri(value) : value
  const copy: Record<string, unknown> = {}
  for (const [name, field] of Object.entries(value))
    copy[name] = isSecretName(name) && typeof field === "string" ? REDACTED : redactedValue(field)
  return copy
}
