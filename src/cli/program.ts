/**
 * From a command line to a command: finds it in the table, has commander read its arguments and options,
 * runs it, and turns errors into exit codes. The table decides what there is, help.ts how it is shown.
 */
import { Argument, Command, CommanderError, Option } from "commander"
import { VERSION } from "../config/version.ts"
import { SystemClock } from "../util/clock.ts"
import type { Clock } from "../util/clock.ts"
import { longName, shortFlag } from "./command.ts"
import type { CommandSpec, OptionSpec } from "./command.ts"
import { CliError, EXIT, usageError } from "./exit-codes.ts"
import type { ExitCode } from "./exit-codes.ts"
import { GLOBAL_COMMAND_FLAGS, GLOBAL_OPTIONS } from "./global-options.ts"
import type { Format } from "./global-options.ts"
import { FORMATS } from "./global-options.ts"
import { commandHelp, generalHelp } from "./help.ts"
import { runList } from "./list.ts"
import { Output } from "./output.ts"
import type { Sink } from "./output.ts"
import { Session } from "./session.ts"
import { findCommand, similarCommands } from "./table.ts"
import type { Environment } from "./environment.ts"
import { printable } from "./text.ts"
import { Values } from "./values.ts"

export interface Invocation {
  readonly argv: readonly string[]
  readonly env: Environment
  readonly sink: Sink
  /** One line for a human. */
  onError(text: string): void
  readonly clock?: Clock
}

const GLOBALS: readonly OptionSpec[] = [...GLOBAL_OPTIONS, ...GLOBAL_COMMAND_FLAGS]

/** Never rejects: what goes wrong is said, and is in the exit code. */
export async function runProgram(invocation: Invocation): Promise<ExitCode> {
  try {
    await run(invocation)
    return EXIT.ok
  } catch (error) {
    if (error instanceof CliError) {
      invocation.onError(`sluicectl: ${error.message}\n`)
      return error.exitCode
    }
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    invocation.onError(`sluicectl: unexpected: ${text}\n`)
    return EXIT.software
  }
}

export function helpFor(words: readonly string[]): string {
  if (words.length === 0) return generalHelp()
  const found = findCommand(words)
  if (found === null) throw unknownCommand(words[0] ?? "")
  return commandHelp(found.command)
}

async function run({ argv, env, sink, clock }: Invocation): Promise<void> {
  const at = commandIndex(argv)
  const before = parse(null, argv.slice(0, at))
  if (before.globals.isOn("version")) return sink.write(`${VERSION}\n`)
  if (before.globals.isOn("build-info"))
    return sink.write(`sluicectl ${VERSION}, Node.js ${process.versions.node}\n`)
  const found = findCommand(argv.slice(at, at + 2))
  if (found === null) {
    if (before.globals.isOn("help")) return sink.write(generalHelp())
    if (at < argv.length) throw unknownCommand(argv[at] ?? "")
    throw usageError(`a command is missing\n\n${generalHelp()}`)
  }
  const { command, wordCount } = found
  const rest = argv.slice(at + wordCount)
  // Before what it needs is missed.
  if (before.globals.isOn("help") || asksForHelp(rest)) return sink.write(commandHelp(command))
  const after = parse(command, rest, before.globalValues)
  const output = new Output(sink, outputOptions(after.globals))
  const { values, globals } = after
  const session = new Session({ values, globals, output, env, clock: clock ?? new SystemClock() })
  await execute(command, session)
}

function asksForHelp(argv: readonly string[]): boolean {
  const end = argv.indexOf("--")
  return (end < 0 ? argv : argv.slice(0, end)).some((word) => word === "-h" || word === "--help")
}

async function execute(command: CommandSpec, session: Session): Promise<void> {
  if (command.isNoOp === true) return
  await command.run?.(session)
  if (command.list !== undefined) await runList(session, command.list)
  const { change } = command
  if (change === undefined) return
  const body = change.body?.(session)
  await session.say(change.saying)
  await session.api.request(change.method, session.path(change.path), { body })
}

function outputOptions(globals: Values): {
  format: Format
  isQuiet: boolean
  hasHeaders: boolean
} {
  const name = globals.optional("format") ?? globals.optional("formatter") ?? "table"
  const format = FORMATS.find((known) => known === name) ?? "table"
  return {
    format,
    isQuiet: globals.isOn("quiet") || globals.isOn("silent"),
    hasHeaders: !globals.isOff("table-headers"),
  }
}

function unknownCommand(name: string): CliError {
  const similar = similarCommands(name)
  const question = similar.length === 0 ? "" : `; did you mean ${similar.join(" or ")}?`
  return usageError(`there is no command '${printable(name)}'${question} (see sluicectl help)`)
}

/** Where the command's name is: the first that is neither an option nor the value of one. */
function commandIndex(argv: readonly string[]): number {
  let at = 0
  while (at < argv.length) {
    const word = argv[at] ?? ""
    if (!word.startsWith("-") || word === "-") return at
    at += takesNext(word) ? 2 : 1
  }
  return argv.length
}

function takesNext(word: string): boolean {
  const known = GLOBALS.find((option) =>
    word.startsWith("--") ? word === `--${longName(option)}` : word === shortFlag(option),
  )
  return known?.flags.includes("<") === true
}

interface Parsed {
  readonly values: Values
  readonly globals: Values
  readonly globalValues: ReadonlyMap<string, unknown>
}

/** Throws CliError. Options behind the command win over those before it. */
function parse(
  spec: CommandSpec | null,
  argv: readonly string[],
  earlier: ReadonlyMap<string, unknown> = new Map(),
): Parsed {
  const own = spec?.options ?? []
  const globals = GLOBALS.filter(
    (option) => !own.some((other) => longName(other) === longName(option)),
  )
  const parser = createParser(spec, own, globals)
  try {
    parser.parse([...argv], { from: "user" })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    const text = error.message.replace(/^error: /, "").replaceAll("\n", " ")
    const help = spec === null ? "sluicectl help" : `sluicectl help ${spec.name}`
    throw usageError(`${printable(text)} (see ${help})`)
  }
  const given: Readonly<Record<string, unknown>> = parser.opts()
  const values = new Map<string, unknown>()
  for (const option of own) read(option, given, `--${longName(option)}`, values)
  const globalValues = new Map(earlier)
  for (const option of globals) read(option, given, longName(option), globalValues)
  const processed: readonly unknown[] = parser.processedArgs
  for (const [i, argument] of (spec?.arguments ?? []).entries()) {
    const value = processed[i]
    if (value !== undefined) values.set(argument.name, value)
    if (typeof value === "string") checkChoice(argument.name, value, argument.choices)
  }
  return { values: new Values(values), globals: new Values(globalValues), globalValues }
}

function createParser(
  spec: CommandSpec | null,
  own: readonly OptionSpec[],
  globals: readonly OptionSpec[],
): Command {
  const parser = new Command(spec?.name ?? "sluicectl")
    .exitOverride()
    .configureOutput({ writeErr: () => {}, writeOut: () => {} })
    .helpOption(false)
    .allowExcessArguments(false)
    .action(() => {})
  const taken = new Set(own.map(shortFlag))
  for (const option of own) parser.addOption(new Option(option.flags))
  for (const option of globals) {
    const short = shortFlag(option)
    const isTaken = short !== null && taken.has(short)
    parser.addOption(new Option(isTaken ? option.flags.replace(/^-\w, /, "") : option.flags))
  }
  for (const argument of spec?.arguments ?? []) {
    const name = `${argument.name}${argument.isVariadic === true ? "..." : ""}`
    parser.addArgument(new Argument(argument.isOptional === true ? `[${name}]` : `<${name}>`))
  }
  if (spec?.isAbsent === true) parser.allowUnknownOption()
  return parser
}

function read(
  option: OptionSpec,
  given: Readonly<Record<string, unknown>>,
  key: string,
  values: Map<string, unknown>,
): void {
  const attribute = longName(option).replaceAll(/-([a-z0-9])/g, (_, char: string) =>
    char.toUpperCase(),
  )
  const value = given[attribute]
  // A negated switch is true unless it is given.
  if (value === undefined || (option.flags.includes("--no-") && value === true)) return
  if (typeof value === "string") {
    checkChoice(`--${longName(option)}`, value, option.choices)
    if (option.min !== undefined) checkNumber(`--${longName(option)}`, value, option.min)
  }
  values.set(key, value)
}

function checkChoice(name: string, value: string, choices: readonly string[] | undefined): void {
  if (choices === undefined || choices.includes(value)) return
  throw usageError(`'${printable(value)}' is no value for ${name} (${choices.join(", ")})`)
}

function checkNumber(name: string, value: string, min: number): void {
  if (!/^-?\d{1,15}$/.test(value))
    throw usageError(`'${printable(value)}' is no whole number for ${name}`)
  if (Number(value) < min) throw usageError(`${name} must be ${String(min)} or more`)
}
