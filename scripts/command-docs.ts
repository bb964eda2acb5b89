/** The reference of sluicectl in docs/sluicectl.md, between its two markers, from the table of commands. */
import { callsOf, GROUPS } from "../src/cli/command.ts"
import type { CommandSpec, OptionSpec } from "../src/cli/command.ts"
import { EXIT_MEANINGS } from "../src/cli/exit-codes.ts"
import { ENVIRONMENT, GLOBAL_COMMAND_FLAGS, GLOBAL_OPTIONS } from "../src/cli/global-options.ts"
import { formatDoc, usageOf } from "../src/cli/help.ts"
import { COMMANDS } from "../src/cli/table.ts"

export const COMMANDS_PAGE = "docs/sluicectl.md"
const START = "<!-- commands: written by npm run generate -->\n"
const END = "<!-- end of commands -->\n"

/** The page with the current reference in it. */
export function withCommandReference(page: string): string {
  const start = page.indexOf(START)
  const end = page.indexOf(END)
  if (start < 0 || end < start) throw new Error(`${COMMANDS_PAGE} has lost its markers`)
  return page.slice(0, start + START.length) + reference() + page.slice(end)
}

function reference(): string {
  const lines = ["", "## Options of every command", "", ...optionTable(GLOBAL_OPTIONS)]
  lines.push(...optionTable(GLOBAL_COMMAND_FLAGS).slice(2))
  lines.push("", "## Environment", "", "| Variable | Meaning |", "|---|---|")
  for (const [name, doc] of ENVIRONMENT) lines.push(`| \`${name}\` | ${cell(doc)} |`)
  lines.push("", "## Exit codes", "", "| Code | Meaning |", "|---|---|")
  for (const [code, doc] of EXIT_MEANINGS) lines.push(`| ${String(code)} | ${cell(doc)} |`)
  for (const group of GROUPS) {
    lines.push("", `## ${group}`, "")
    const commands = COMMANDS.filter((command) => command.group === group)
    if (group === "Without counterpart") lines.push(...absent(commands))
    else lines.push(...commands.flatMap(section))
  }
  return `${lines.join("\n").trimEnd()}\n\n`
}

function absent(commands: readonly CommandSpec[]): string[] {
  return [
    "These commands of other brokers end with 69 and one sentence.",
    "",
    "| Command | Why |",
    "|---|---|",
    ...commands.map(
      ({ name, summary }) => `| \`${name}\` | ${cell(summary.replace(/^Not available: /, ""))} |`,
    ),
  ]
}

function section(command: CommandSpec): string[] {
  const { name, summary, details, aliases = [], list, usesVhost } = command
  const lines = [`### ${name}`, "", `\`${usageOf(command)}\``, "", `${cell(summary)}.`]
  if (details !== undefined) lines.push(cell(details))
  if (usesVhost === true) lines.push("The virtual host is that of `--vhost`.")
  if (aliases.length > 0) lines.push(`Also: ${aliases.map((alias) => `\`${alias}\``).join(", ")}.`)
  const named = [
    ...(command.arguments ?? []).map((one) => [one.name, formatDoc(one)] as const),
    ...(command.options ?? []).map((one) => [one.flags, formatDoc(one)] as const),
  ]
  if (named.length > 0) {
    lines.push("", "| Argument, option | Meaning |", "|---|---|")
    for (const [flags, doc] of named) lines.push(`| \`${flags}\` | ${cell(doc)} |`)
  }
  if (list !== undefined) {
    const shown = list.columns.map((column) =>
      list.defaults.includes(column.name) ? `**${column.name}**` : column.name,
    )
    lines.push("", `Columns, those shown by default in bold: ${shown.join(", ")}.`)
  }
  const calls = callsOf(command)
  if (calls.length > 0) lines.push("", `Asks: ${calls.map((call) => `\`${call}\``).join(", ")}.`)
  return [...lines, ""]
}

function optionTable(options: readonly OptionSpec[]): string[] {
  return [
    "| Option | Meaning |",
    "|---|---|",
    ...options.map((option) => `| \`${option.flags}\` | ${cell(formatDoc(option))} |`),
  ]
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|")
}
