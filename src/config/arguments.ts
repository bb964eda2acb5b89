/**
 * From command line, environment and configuration file to a Config. The command line wins over the
 * environment, that over the file, and the file over the defaults. Prints nothing and never exits: the
 * entry file does.
 */
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { ConfigFileError, readIni } from "./ini-file.ts"
import { COMMAND_FLAGS, CONFIG_FILE, OPTIONS, formatDefault } from "./options.ts"
import type { Config, Option } from "./options.ts"

export type Invocation =
  | {
      readonly kind: "run"
      readonly config: Config
      /** Null if there is none. */
      readonly configFile: string | null
    }
  | { readonly kind: "help" }
  | { readonly kind: "version" }
  /** One line that names what is wrong. */
  | { readonly kind: "error"; readonly message: string }

type AnyOption = Option<unknown>

const ENTRIES: readonly (readonly [name: string, option: AnyOption])[] = Object.entries(OPTIONS)
const CONFIG_FILE_NAME = longName(CONFIG_FILE.flags)
const HELP_WIDTH = 100
const HELP_DOC_COLUMN = 32

export function parseArguments(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Invocation {
  try {
    const fromFlags = readFlags(argv)
    if (fromFlags === "help" || fromFlags === "version") return { kind: fromFlags }
    const given = fromFlags.get(CONFIG_FILE_NAME)
    const configFile = typeof given === "string" ? given : configFileOf(env)
    const fromFile = configFile === "" ? new Map<string, unknown>() : readFile(configFile)
    const values: Record<string, unknown> = {}
    for (const [name, entry] of ENTRIES) {
      const text = variable(env, entry.env)
      if (fromFlags.has(name)) values[name] = fromFlags.get(name)
      else if (text !== "") values[name] = read(entry, entry.env, text)
      else values[name] = fromFile.has(name) ? fromFile.get(name) : defaultOf(entry, env)
    }
    values["sni"] = fromFile.get("sni") ?? []
    return {
      kind: "run",
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The loop has set each name of the table from its own parser or default.
      config: values as Config,
      configFile: configFile === "" ? null : configFile,
    }
  } catch (error) {
    if (error instanceof UsageError || error instanceof ConfigFileError)
      return { kind: "error", message: error.message }
    throw error
  }
}

type Environment = Readonly<Record<string, string | undefined>>

/** Empty if it is absent, or no setting of ours. Compose files and units often pass empty ones through. */
function variable(env: Environment, name: string): string {
  const text = env[name] ?? ""
  return isServiceLink(name, text) ? "" : text
}

/** Kubernetes names a service `sluice-amqp` to all containers around it by SLUICE_AMQP_PORT=tcp://10.0.0.1:5672. */
function isServiceLink(name: string, text: string): boolean {
  return name.endsWith("_PORT") && /^(?:tcp|udp|sctp):\/\//.test(text)
}

/** Empty if there is none. The file of a service need not exist. */
function configFileOf(env: Environment): string {
  const named = env[CONFIG_FILE.env] ?? ""
  if (named !== "") return named
  const directory = directoryOf(env[CONFIG_FILE.serviceEnv])
  const path = directory === "" ? "" : join(directory, CONFIG_FILE.fileName)
  return path !== "" && existsSync(path) ? path : ""
}

function defaultOf(entry: AnyOption, env: Environment): unknown {
  const directory = directoryOf(entry.serviceEnv === undefined ? "" : env[entry.serviceEnv])
  return directory === "" ? entry.default : read(entry, entry.serviceEnv ?? "", directory)
}

/** systemd separates several by colons; the first is the main one. */
function directoryOf(text: string | undefined): string {
  return (text ?? "").split(":")[0] ?? ""
}

/** The text of --help. */
export function formatHelp(version: string): string {
  const lines = [
    `Sluice ${version}, a message broker for AMQP 0-9-1`,
    "",
    "Usage: sluice [options]",
    "",
  ]
  const { flags: fileFlags, argument: fileArgument, doc: fileDoc, env: fileEnv } = CONFIG_FILE
  lines.push(...helpEntry(formatFlags(fileFlags, fileArgument), `${fileDoc} [${fileEnv}]`))
  for (const [, entry] of ENTRIES) {
    const flags = formatFlags(entry.flags, entry.argument)
    const suffix = entry.argument === undefined ? "" : ` (default ${formatDefault(entry.default)})`
    lines.push(...helpEntry(flags, `${entry.doc}${suffix} [${entry.env}]`))
  }
  for (const command of Object.values(COMMAND_FLAGS))
    lines.push(...helpEntry(formatFlags(command.flags), command.doc))
  lines.push(
    "",
    "The name in brackets is the environment variable. A flag wins over it, and it over the file.",
  )
  return `${lines.join("\n")}\n`
}

/** `-D DIR, --data-dir=DIR` in the form of the help. */
function formatFlags(flags: readonly string[], argument?: string): string {
  const text = flags[0]?.startsWith("--") === true ? `    ${flags.join(", ")}` : flags.join(", ")
  return argument === undefined ? text : `${text}=${argument}`
}

function readFile(path: string): Map<string, unknown> {
  let text: string
  try {
    text = readFileSync(path, "utf8")
  } catch (error) {
    const reason = error instanceof Error && "code" in error ? String(error.code) : String(error)
    throw new UsageError(`cannot read the configuration file ${path}: ${reason}`)
  }
  return readIni(text, path)
}

class UsageError extends Error {
  override readonly name = "UsageError"
}

/** Values of the flags given, or the command that ends the program. */
function readFlags(argv: readonly string[]): Map<string, unknown> | "help" | "version" {
  const { tokens } = parseArgs({
    args: [...argv],
    options: flagTable(),
    strict: false,
    tokens: true,
  })
  const values = new Map<string, unknown>()
  let command: "help" | "version" | null = null
  for (const token of tokens) {
    if (token.kind === "option-terminator") continue
    if (token.kind === "positional") throw new UsageError(`unexpected argument '${token.value}'`)
    if (isCommand(token.name)) {
      command ??= token.name
      continue
    }
    if (token.name === CONFIG_FILE_NAME) {
      values.set(CONFIG_FILE_NAME, flagText(CONFIG_FILE, token))
      continue
    }
    const found = ENTRIES.find(([, known]) => longName(known.flags) === token.name)
    if (found === undefined) throw new UsageError(`unknown flag '${token.rawName}'`)
    const [name, entry] = found
    const value = read(entry, token.rawName, flagText(entry, token))
    const previous = values.get(name)
    const isRepeated = entry.merge !== undefined && values.has(name)
    values.set(name, isRepeated ? entry.merge?.(previous, value) : value)
  }
  return command ?? values
}

interface FlagToken {
  readonly rawName: string
  readonly value: string | undefined
  readonly inlineValue: boolean | undefined
}

function flagText(entry: Pick<AnyOption, "switchText" | "argument">, token: FlagToken): string {
  if (entry.switchText !== undefined) {
    if (token.value !== undefined) throw new UsageError(`${token.rawName} takes no value`)
    return entry.switchText
  }
  // `-D --no-sync` has forgotten the directory; `-D=--odd` insists.
  if (token.value === undefined || (token.inlineValue !== true && /^-./.test(token.value)))
    throw new UsageError(`${token.rawName} needs a value (${entry.argument ?? ""})`)
  return token.value
}

function read(entry: AnyOption, source: string, text: string): unknown {
  try {
    return entry.parse(text)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new UsageError(`bad value for ${source}: ${error.message}`)
  }
}

function flagTable(): Record<string, { type: "string" | "boolean"; short?: string }> {
  const table: Record<string, { type: "string" | "boolean"; short?: string }> = {}
  const add = (flags: readonly string[], type: "string" | "boolean"): void => {
    const short = flags.find((flag) => /^-[a-zA-Z]$/.test(flag))?.slice(1)
    table[longName(flags)] = short === undefined ? { type } : { type, short }
  }
  for (const [, entry] of ENTRIES)
    add(entry.flags, entry.switchText === undefined ? "string" : "boolean")
  add(CONFIG_FILE.flags, "string")
  for (const command of Object.values(COMMAND_FLAGS)) add(command.flags, "boolean")
  return table
}

function longName(flags: readonly string[]): string {
  return (flags.find((flag) => flag.startsWith("--")) ?? "").slice(2)
}

function isCommand(name: string): name is "help" | "version" {
  return name === "help" || name === "version"
}

function helpEntry(flags: string, doc: string): string[] {
  const indent = " ".repeat(HELP_DOC_COLUMN)
  const lines: string[] = []
  let line = `  ${flags}`.padEnd(HELP_DOC_COLUMN)
  if (line.length > HELP_DOC_COLUMN) {
    lines.push(line)
    line = indent
  }
  let isFirst = true
  for (const word of doc.split(" ")) {
    if (!isFirst && line.length + 1 + word.length > HELP_WIDTH) {
      lines.push(line)
      line = indent + word
    } else line += isFirst ? word : ` ${word}`
    isFirst = false
  }
  lines.push(line)
  return lines
}
