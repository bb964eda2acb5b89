/**
 * Turns the text of one option into its value, or throws a RangeError whose message completes the
 * sentence "bad value for --flag: …". Knows nothing of where the text came from.
 */

const UNIT_BYTES: Readonly<Record<string, number>> = {
  "": 1,
  k: 2 ** 10,
  kib: 2 ** 10,
  m: 2 ** 20,
  mib: 2 ** 20,
  g: 2 ** 30,
  gib: 2 ** 30,
  t: 2 ** 40,
  tib: 2 ** 40,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
}

const TRUE_WORDS: ReadonlySet<string> = new Set(["true", "yes", "on", "y", "1"])
const FALSE_WORDS: ReadonlySet<string> = new Set(["false", "no", "off", "n", "0"])

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "none"] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** A whole number of the unit that the option's name says, within the bounds. */
export function integerBetween(min: number, max: number): (text: string) => number {
  return (text) => {
    if (!/^\d{1,16}$/.test(text)) throw new RangeError(`'${text}' is not a whole number`)
    const value = Number(text)
    if (value < min || value > max)
      throw new RangeError(`${text} is not between ${String(min)} and ${String(max)}`)
    return value
  }
}

/** Bytes, with an optional unit as RabbitMQ reads it: K, Ki, KiB = 1024, KB = 1000. */
export function bytesBetween(min: number, max: number): (text: string) => number {
  return (text) => {
    const match = /^(\d{1,16})\s*([a-z]*)$/i.exec(text)
    const unit = match?.[2]?.toLowerCase() ?? ""
    const factor = UNIT_BYTES[unit.length === 2 && unit.endsWith("i") ? `${unit}b` : unit]
    if (match === null || factor === undefined)
      throw new RangeError(`'${text}' is not a size such as 500000, 64K, 128MiB or 1GB`)
    const value = Number(match[1]) * factor
    if (value < min || value > max)
      throw new RangeError(`${text} is not between ${String(min)} and ${String(max)} bytes`)
    return value
  }
}

const MEMORY_BYTES_MIN = 16 * 2 ** 20

/** Up to 1 a fraction of all memory, above that bytes, in the units of bytesBetween(). 0 or off is no limit. */
export function parseWatermark(text: string): number {
  if (text === "off") return 0
  if (/^(?:0|0?\.\d{1,9}|0\.|1|1\.0{1,9})$/.test(text)) return Number(text)
  if (/^\d/.test(text) && !/^\d+\./.test(text))
    return bytesBetween(MEMORY_BYTES_MIN, Number.MAX_SAFE_INTEGER)(text)
  throw new RangeError(
    `'${text}' is neither a part of all memory such as 0.6 nor a size such as 2GiB`,
  )
}

/** As `same-host`, `*`, or `https://app.example.com`, separated by commas. */
export function parseOrigins(text: string): readonly string[] {
  return text.split(",").map((part) => parseOrigin(part.trim()))
}

function parseOrigin(text: string): string {
  if (text === "*" || text === "same-host") return text
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || !/^https?:$/.test(url.protocol) || !/^https?:\/\/[^/]+\/?$/i.test(text))
    throw new RangeError(
      `'${text}' is neither same-host, * nor an origin such as https://app.example.com`,
    )
  return url.origin
}

export function parseBoolean(text: string): boolean {
  const word = text.toLowerCase()
  if (TRUE_WORDS.has(word)) return true
  if (FALSE_WORDS.has(word)) return false
  throw new RangeError(`'${text}' is neither true nor false`)
}

export function parseLogLevel(text: string): LogLevel {
  const level = LOG_LEVELS.find((known) => known === text.toLowerCase())
  if (level === undefined)
    throw new RangeError(`'${text}' is not a log level (${LOG_LEVELS.join(", ")})`)
  return level
}

/** A listener that is not wanted. */
export const PORT_OFF = -1

/** `off`, or -1 as LavinMQ has it, is PORT_OFF. */
export function parsePortOrOff(text: string): number {
  return text === "off" || text === "-1" ? PORT_OFF : integerBetween(0, 65_535)(text)
}

export type DeclareMismatch = "strict" | "adopt"

export function parseDeclareMismatch(text: string): DeclareMismatch {
  if (text === "strict" || text === "adopt") return text
  throw new RangeError(`'${text}' is neither strict nor adopt`)
}

export const TLS_VERSIONS = ["1.0", "1.1", "1.2", "1.3"] as const
export type TlsVersion = (typeof TLS_VERSIONS)[number]

export function parseTlsVersion(text: string): TlsVersion {
  const version = TLS_VERSIONS.find((known) => known === text.replace(/^TLSv?/i, ""))
  if (version === undefined)
    throw new RangeError(`'${text}' is not a version of TLS (${TLS_VERSIONS.join(", ")})`)
  return version
}

export type CertificateName = "common_name" | "distinguished_name"

export function parseCertificateName(text: string): CertificateName {
  if (text === "common_name" || text === "distinguished_name") return text
  throw new RangeError(`'${text}' is neither common_name nor distinguished_name`)
}

/** Rights of the file of a Unix socket in octal, as 0666. */
export function parseFileMode(text: string): string {
  if (!/^(?:0o?)?[0-7]{3}$/.test(text))
    throw new RangeError(`'${text}' is not a file mode such as 0666 or 0600`)
  return `0${text.slice(-3)}`
}

export interface KeepAlive {
  readonly idle: number
  readonly interval: number
  readonly count: number
}

const KEEP_ALIVE: KeepAlive = { idle: 60, interval: 10, count: 3 }

/** As `60:10:3`: seconds of silence, seconds between probes, probes. What is left out has its default. */
export function parseKeepAlive(text: string): string {
  const keepAlive = keepAliveOf(text)
  return keepAlive === null ? "off" : `${keepAlive.idle}:${keepAlive.interval}:${keepAlive.count}`
}

/** Null is off. */
export function keepAliveOf(text: string): KeepAlive | null {
  if (FALSE_WORDS.has(text.toLowerCase())) return null
  const parts = text.split(":").map((part) => (/^\d{1,5}$/.test(part) ? Number(part) : 0))
  const [idle = 0, interval = KEEP_ALIVE.interval, count = KEEP_ALIVE.count] = parts
  if (parts.length > 3 || [idle, interval, count].some((part) => part < 1 || part > 32_767))
    throw new RangeError(
      `'${text}' is neither off nor seconds, seconds and a count such as 60:10:3`,
    )
  return { idle, interval, count }
}

/** Addresses and networks, separated by commas. */
export function parseNetworks(text: string): readonly string[] {
  const networks = text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "")
  for (const network of networks)
    if (!/^[\d.]+(?:\/\d{1,2})?$|^[\da-f:.]*:[\da-f:.]*(?:\/\d{1,3})?$/i.test(network))
      throw new RangeError(
        `'${network}' is neither an address nor a network such as 10.0.0.0/8 or fd00::/8`,
      )
  return networks
}

/** Names of sockets have no colon, because systemd separates them by it. */
export function parseSocketName(text: string): string {
  if (!/^[^:\s]{1,255}$/.test(text))
    throw new RangeError(`'${text}' is not the name of a socket unit`)
  return text
}

/** May be empty. */
export function parseText(text: string): string {
  return text
}

export function parsePath(text: string): string {
  if (text === "") throw new RangeError("the path is empty")
  return text
}

export type ControlMode = "0600" | "0660"

export function parseControlMode(text: string): ControlMode {
  const octal = text.replace(/^0?o?/, "0")
  if (octal === "0600" || octal === "0660") return octal
  throw new RangeError(`'${text}' is neither 0600 nor 0660`)
}

/** Addresses or host names, separated by commas. */
export function parseAddresses(text: string): readonly string[] {
  const addresses = text.split(",").map((part) => part.trim().replace(/^\[(.*)\]$/, "$1"))
  if (!addresses.every((address) => /^[\w.:%-]+$/.test(address)))
    throw new RangeError(`'${text}' is not an address such as 127.0.0.1, ::1 or 0.0.0.0`)
  return addresses
}

export function parseUserName(text: string): string {
  if (text === "" || Buffer.byteLength(text) > 255)
    throw new RangeError("a user name has 1 to 255 bytes")
  return text
}

/** Base64 of a salt and a SHA-256 digest. The text is no password, and is not repeated all the same. */
export function parsePasswordHash(text: string): string {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text) || Buffer.from(text, "base64").length < 32)
    throw new RangeError("this is not the base64 of a salt and a SHA-256 digest")
  return text
}
