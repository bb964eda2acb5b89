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

export function parsePath(text: string): string {
  if (text === "") throw new RangeError("the path is empty")
  return text
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
