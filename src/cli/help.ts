/** The help of sluicectl and of its commands, made from the table. */
import { VERSION } from "../config/version.ts"
import { GROUPS, longName } from "./command.ts"
import type { ArgumentSpec, CommandSpec, OptionSpec } from "./command.ts"
import { EXIT_MEANINGS } from "./exit-codes.ts"
import { ENVIRONMENT, GLOBAL_COMMAND_FLAGS, GLOBAL_OPTIONS } from "./global-options.ts"
import { COMMANDS } from "./table.ts"

const WIDTH = 100
const COLUMN = 36

export function usageOf(command: CommandSpec): string {
  const args = (command.arguments ?? []).map(formatArgument)
  return ["sluicectl", command.name, ...args].join(" ")
}

export function formatArgument({ name, isOptional, isVariadic }: ArgumentSpec): string {
  const text = isVariadic === true ? `${name}...` : name
  return isOptional === true ? `[${text}]` : `<${text}>`
}

export function formatDoc({ doc, choices }: Pick<OptionSpec, "doc" | "choices">): string {
  return choices === undefined ? doc : `${doc} (${choices.join(", ")})`
}

export function generalHelp(): string {
  const lines = [
    `sluicectl ${VERSION}, the command line of the Sluice message broker`,
    "",
    "Usage: sluicectl [options] <command> [arguments] [options]",
    "",
    "Without an address it talks to the broker on this machine, over its control socket and without a login.",
  ]
  for (const group of GROUPS) {
    const commands = COMMANDS.filter((one) => one.group === group)
    lines.push("", `${group}:`)
    if (group === "Without counterpart")
      lines.push(...wrapped("  ", commands.map(({ name }) => name).join(", "), "  "))
    else
      for (const command of commands)
        lines.push(...entry(usageOf(command).slice("sluicectl ".length), command.summary))
  }
  lines.push("", "Options of every command:")
  for (const option of [...GLOBAL_OPTIONS, ...GLOBAL_COMMAND_FLAGS])
    lines.push(...entry(option.flags, formatDoc(option)))
  lines.push("", "Environment:")
  for (const [name, doc] of ENVIRONMENT) lines.push(...entry(name, doc))
  lines.push("", "Exit codes:")
  for (const [code, doc] of EXIT_MEANINGS) lines.push(...entry(String(code), doc))
  lines.push("", "More of a command: sluicectl help <command>")
  return `${lines.join("\n")}\n`
}

export function commandHelp(command: CommandSpec): string {
  const lines = [
    `Usage: ${usageOf(command)} [options]`,
    "",
    ...wrapped("", `${command.summary}.`, ""),
  ]
  if (command.details !== undefined) lines.push(...wrapped("", command.details, ""))
  if (command.aliases !== undefined && command.aliases.length > 0)
    lines.push("", `Also: ${command.aliases.join(", ")}`)
  section(lines, "Arguments", command.arguments ?? [], (one) => one.name)
  section(lines, "Options", command.options ?? [], (one) => one.flags)
  const { list } = command
  if (list !== undefined) {
    lines.push("", `Columns (default: ${list.defaults.join(", ")}):`)
    lines.push(...wrapped("  ", list.columns.map(({ name }) => name).join(", "), "  "))
  }
  lines.push(
    "",
    command.usesVhost === true
      ? "The virtual host is that of --vhost, by default /. Options of every command: sluicectl help"
      : "Options of every command: sluicectl help",
  )
  return `${lines.join("\n")}\n`
}

function section<T extends Pick<OptionSpec, "doc" | "choices">>(
  lines: string[],
  title: string,
  items: readonly T[],
  nameOf: (item: T) => string,
): void {
  if (items.length === 0) return
  lines.push("", `${title}:`)
  for (const item of items) lines.push(...entry(nameOf(item), formatDoc(item)))
}

/** For completion: the long flags, those of the command first. */
export function longFlags(options: readonly OptionSpec[]): string[] {
  return options.map((option) =>
    option.flags.includes("--no-") ? `--no-${longName(option)}` : `--${longName(option)}`,
  )
}

function entry(name: string, doc: string): string[] {
  const indent = " ".repeat(COLUMN)
  const head = `  ${name}`
  if (head.length < COLUMN) return wrapped(head.padEnd(COLUMN), doc, indent)
  return [head, ...wrapped(indent, doc, indent)]
}

function wrapped(head: string, text: string, indent: string): string[] {
  const lines: string[] = []
  let line = head
  let isEmpty = true
  for (const word of text.split(" ")) {
    if (!isEmpty && line.length + 1 + word.length > WIDTH) {
      lines.push(line)
      line = indent
      isEmpty = true
    }
    line += isEmpty ? word : ` ${word}`
    isEmpty = false
  }
  return [...lines, line.trimEnd()]
}
