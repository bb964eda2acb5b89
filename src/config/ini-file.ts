/**
 * Reads the configuration file: an INI file with the sections and keys of the table of options. Values
 * are read as the package `ini` reads them (quotes, `;` and `#` begin a comment); it is given one line
 * at a time, because it does not tell lines, splits the names of sections at dots and passes over what
 * it does not understand. Here everything that is not understood is an error that names file and line.
 */
import { parse } from "ini"
import { OPTIONS } from "./options.ts"
import type { Option } from "./options.ts"
import { SNI_KEYS, parseSniValue, sniHostOf } from "./sni.ts"
import type { SniHost } from "./sni.ts"

/** The message begins with file and line, and says what is allowed. */
export class ConfigFileError extends Error {
  override readonly name = "ConfigFileError"
}

interface Line {
  readonly number: number
  readonly section: string
  readonly key: string
  readonly value: string
}

const SECTION = /^\s*\[([^\]]*)\]\s*(?:[;#].*)?$/
const COMMENT_OR_NOTHING = /^\s*(?:[;#].*)?$/

/** The values of the options that the text gives, by name of the option. Throws ConfigFileError. */
export function readIni(text: string, fileName: string): Map<string, unknown> {
  const values = new Map<string, unknown>()
  const firstLines = new Map<string, number>()
  const hosts = new Map<string, Record<string, unknown>>()
  for (const line of linesOf(text, fileName)) {
    const at = `${fileName}:${line.number}`
    const host = sniHostOf(line.section)
    if (host !== null) {
      const settings = hosts.get(host) ?? {}
      readHostSetting(settings, line, at)
      hosts.set(host, settings)
      continue
    }
    const [name, option] = findOption(line, at)
    const value = readValue(option, line, at)
    const first = firstLines.get(name)
    if (first !== undefined && option.merge === undefined)
      throw new ConfigFileError(
        `${at}: ${line.key} is given twice in [${line.section}], first in line ${first}`,
      )
    firstLines.set(name, line.number)
    const isRepeated = first !== undefined && option.merge !== undefined
    values.set(name, isRepeated ? option.merge?.(values.get(name), value) : value)
  }
  const sni = Array.from(hosts, ([host, settings]): SniHost => ({ host, values: settings }))
  if (sni.length > 0) values.set("sni", sni)
  return values
}

/** A line of [sni:host]. */
function readHostSetting(settings: Record<string, unknown>, line: Line, at: string): void {
  const { section, key, value } = line
  if (!SNI_KEYS.includes(key))
    throw new ConfigFileError(
      `${at}: unknown key ${key} in [${section}] (known: ${SNI_KEYS.join(", ")})`,
    )
  if (Object.hasOwn(settings, key))
    throw new ConfigFileError(`${at}: ${key} is given twice for [${section}]`)
  settings[key] = parseAt(() => parseSniValue(key, value), key, at)
}

function* linesOf(text: string, fileName: string): Iterable<Line> {
  let section: string | null = null
  for (const [index, content] of text
    .replace(/^\uFEFF/, "")
    .split(/\r\n|\r|\n/)
    .entries()) {
    const number = index + 1
    if (COMMENT_OR_NOTHING.test(content)) continue
    const at = `${fileName}:${number}`
    const found = SECTION.exec(content)?.[1]?.trim()
    if (found !== undefined) {
      section = found
      if (section.startsWith("sni:") && sniHostOf(section) === null)
        throw new ConfigFileError(
          `${at}: [${section}] names no host (such as [sni:mq.example.com] or [sni:*.example.com])`,
        )
      if (sniHostOf(section) === null && !keysOf(section).length)
        throw new ConfigFileError(`${at}: unknown section [${section}] (known: ${knownSections()})`)
      continue
    }
    const parsed = Object.entries<unknown>(parse(content, { bracketedArray: false }))[0]
    if (!content.includes("=") || parsed === undefined)
      throw new ConfigFileError(`${at}: this is neither [section] nor key = value nor a comment`)
    const [key, value] = parsed
    if (section === null)
      throw new ConfigFileError(`${at}: ${key} stands before a section (known: ${knownSections()})`)
    // The package reads such a value up to the first ; in it, quote and all.
    if (/^["']/.test(String(value)))
      throw new ConfigFileError(`${at}: the quotes of ${key} are not closed at the end of the line`)
    yield { number, section, key, value: String(value) }
  }
}

function findOption(
  { section, key }: Line,
  at: string,
): readonly [name: string, option: Option<unknown>] {
  for (const [name, option] of entries())
    if (option.ini[0] === section && option.ini[1] === key) return [name, option]
  throw new ConfigFileError(
    `${at}: unknown key ${key} in [${section}] (known: ${keysOf(section).join(", ")})`,
  )
}

function readValue(option: Option<unknown>, { key, value }: Line, at: string): unknown {
  return parseAt(() => option.parse(value), key, at)
}

function parseAt(parseValue: () => unknown, key: string, at: string): unknown {
  try {
    return parseValue()
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new ConfigFileError(`${at}: bad value for ${key}: ${error.message}`, { cause: error })
  }
}

function entries(): readonly (readonly [name: string, option: Option<unknown>])[] {
  return Object.entries(OPTIONS)
}

function keysOf(section: string): string[] {
  return entries()
    .filter(([, { ini }]) => ini[0] === section)
    .map(([, { ini }]) => ini[1])
}

function knownSections(): string {
  const sections = new Set(entries().map(([, { ini }]) => `[${ini[0]}]`))
  return [...sections, "[sni:<host>]"].join(", ")
}
