import { Command, CommanderError, InvalidArgumentError, Option } from "commander"
import { FlagValues, MODES } from "./modes.ts"
import type { FlagSpec, FlagValue, ModeName, ModeSpec } from "./modes.ts"

/** From the command line to a mode and its values, by the table of modes. Prints nothing, never exits. */
export type PerfInvocation =
  | { readonly kind: "run"; readonly mode: ModeName; readonly values: FlagValues }
  /** --help, --version, --build-info: to standard output. */
  | { readonly kind: "print"; readonly text: string }
  | { readonly kind: "error"; readonly message: string }

export interface BuildFacts {
  readonly version: string
  readonly build: string
}

export function parsePerfArguments(argv: readonly string[], facts: BuildFacts): PerfInvocation {
  // `amqp` before the mode names the protocol, and there is no other.
  const args = argv[0] === "amqp" ? argv.slice(1) : [...argv]
  if (args[0] === "mqtt") return { kind: "error", message: "this version measures AMQP only" }
  if (args.includes("--build-info")) return { kind: "print", text: `${facts.build}\n` }
  const first = args[0] ?? ""
  if (["-v", "--version"].includes(first)) return { kind: "print", text: `${facts.version}\n` }
  if (first === "") return { kind: "error", message: `which mode?\n\n${formatPerfHelp()}` }
  if (["-h", "--help", "help"].includes(first)) return { kind: "print", text: formatPerfHelp() }
  const mode = MODES.find(({ name }) => name === first)
  if (mode === undefined) return { kind: "error", message: `unknown mode '${first}'` }
  return parseMode(mode, args.slice(1), facts)
}

function parseMode(
  mode: ModeSpec,
  args: readonly string[],
  { version }: BuildFacts,
): PerfInvocation {
  let printed = ""
  const command = commandOf(mode).version(version, "-v, --version", "Print the version and exit")
  command.configureOutput({ writeOut: (text) => (printed += text), writeErr: () => {} })
  try {
    command.parse(withAliases(mode, args), { from: "user" })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode === 0) return { kind: "print", text: printed }
    return { kind: "error", message: `${mode.name}: ${error.message.replace(/^error: /, "")}` }
  }
  const values = new FlagValues(command.opts<Record<string, FlagValue>>())
  const message = mode.name === "throughput" ? contradiction(values) : null
  return message === null
    ? { kind: "run", mode: mode.name, values }
    : { kind: "error", message: `${mode.name}: ${message}` }
}

function commandOf(mode: ModeSpec): Command {
  const command = new Command(`sluiceperf ${mode.name}`)
    .description(`${mode.doc}.`)
    .helpOption("-h, --help", "Print this and exit")
    .allowExcessArguments(false)
    .exitOverride()
  for (const flag of mode.flags) command.addOption(optionOf(flag))
  return command
}

function optionOf(flag: FlagSpec): Option {
  const argument = flag.argument === undefined ? "" : ` <${flag.argument.toLowerCase()}>`
  const option = new Option(flag.flags.join(", ") + argument, flag.doc)
  // The table's key, whatever the long name is.
  option.attributeName = () => flag.key
  if (flag.default !== null && flag.kind !== "switch")
    option.default(flag.default, formatDefault(flag))
  if (flag.argument !== undefined) option.argParser((text: string) => parseValue(flag, text))
  return option
}

/** PerfTest's names, written as ours. `--autoack` and `--flag persistent` have no value of their own here. */
function withAliases(mode: ModeSpec, args: readonly string[]): string[] {
  const names = new Map<string, string>()
  for (const { aliases = [], flags } of mode.flags)
    for (const alias of aliases) names.set(alias, flags[flags.length - 1]!)
  const result: string[] = []
  for (let at = 0; at < args.length; at++) {
    const arg = args[at]!
    if (mode.name === "throughput" && arg === "--autoack") result.push("--ack", "0")
    else if (mode.name === "throughput" && arg === "--flag" && args[at + 1] === "persistent") {
      result.push("--persistent")
      at++
    } else {
      const [name = "", ...rest] = arg.split("=")
      result.push([names.get(name) ?? name, ...rest].join("="))
    }
  }
  return result
}

function parseValue(flag: FlagSpec, text: string): FlagValue {
  if (flag.kind === "count" || flag.kind === "number") return parseNumber(flag, text)
  if (flag.kind === "object") return parseObject(text)
  if (flag.kind !== "keep-alive") return text
  const match = /^(\d{1,6})(?::\d+:\d+)?$/.exec(text)
  if (match === null) throw new InvalidArgumentError("Write IDLE or IDLE:COUNT:INTERVAL.")
  return Number(match[1])
}

function parseNumber(flag: FlagSpec, text: string): number {
  const { min = 0, max = 1e12 } = flag
  const value = Number(text)
  const pattern = flag.kind === "count" ? /^\d+$/ : /^\d+(?:\.\d+)?$/
  if (!pattern.test(text) || value < min || value > max) {
    const what = flag.kind === "count" ? "whole number" : "number"
    throw new InvalidArgumentError(`It must be a ${what} from ${String(min)} to ${String(max)}.`)
  }
  return value
}

function parseObject(text: string): FlagValue {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new InvalidArgumentError("It must be a JSON object.")
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new InvalidArgumentError("It must be a JSON object.")
  return { ...value }
}

/** What cannot be measured together; null if all is well. */
function contradiction(values: FlagValues): string | null {
  if (values.isOn("measureLatency") && values.number("size") < 8)
    return "--measure-latency needs a --size of at least 8 bytes"
  if (values.isOn("measureLatency") && values.isOn("verify"))
    return "--verify and --measure-latency exclude each other"
  if (values.isOn("randomBodies") && values.isOn("verify"))
    return "--verify and --random-bodies exclude each other"
  if (values.number("confirm") > 0 && values.number("publishTx") > 0)
    return "--confirm and --transaction exclude each other"
  if (values.number("publishers") === 0 && values.number("consumers") === 0)
    return "there is neither a publisher nor a consumer"
  const pattern = values.textOrNull("queuePattern")
  if (pattern !== null && !pattern.includes("%")) return "--queue-pattern needs a % for the number"
  if (values.number("queuePatternTo") < values.number("queuePatternFrom"))
    return "--queue-pattern-to is less than --queue-pattern-from"
  return null
}

export function formatDefault({ default: initial }: FlagSpec): string {
  if (initial === "") return "empty"
  return typeof initial === "string" || typeof initial === "number" ? String(initial) : "none"
}

export function formatPerfHelp(): string {
  const width = Math.max(...MODES.map(({ name }) => name.length)) + 2
  return [
    "Measures an AMQP 0-9-1 broker.",
    "",
    "Usage: sluiceperf [amqp] MODE [options]",
    "",
    "Modes:",
    ...MODES.map(({ name, doc }) => `  ${name.padEnd(width)}${doc}`),
    "",
    "sluiceperf MODE --help shows the options of a mode. -v, --version and --build-info end at once.",
    "",
  ].join("\n")
}

/** Help of one mode, as it stands in the terminal. */
export function formatModeHelp(mode: ModeSpec): string {
  return commandOf(mode).helpInformation()
}

/** docs/sluiceperf.md, the part between its markers. */
export function formatModesTable(): string {
  const lines: string[] = []
  for (const mode of MODES) {
    lines.push(`### ${mode.name}`, "", `${mode.doc}.`, "")
    lines.push("| Flag | Default | Meaning |", "|---|---|---|")
    for (const flag of mode.flags) {
      const argument = flag.argument === undefined ? "" : ` ${flag.argument}`
      const names = [...flag.flags, ...(flag.aliases ?? [])].map((name) => `\`${name}\``)
      const initial = flag.kind === "switch" ? "off" : formatDefault(flag)
      const shown = /^[\d.]+$|:\/\//.test(initial) ? `\`${initial}\`` : initial
      lines.push(`| ${names.join(", ")}${argument} | ${shown} | ${flag.doc} |`)
    }
    lines.push("")
  }
  return lines.join("\n")
}
