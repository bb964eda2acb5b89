/**
 * Writes the table of options into docs/configuration.md, between its two markers, the sample of a
 * configuration file, and the tables of metrics. Tests compare them with the same texts, so a forgotten run shows.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { COMMAND_FLAGS, CONFIG_FILE, OPTIONS, formatDefault } from "../src/config/options.ts"
import type { Option } from "../src/config/options.ts"
import { COMMANDS_PAGE, withCommandReference } from "./command-docs.ts"
import { METRICS_PAGE, withMetricTables } from "./metrics-docs.ts"
import { PERF_PAGE, withModeTables } from "./perf-docs.ts"

export const OPTIONS_PAGE = "docs/configuration.md"
export const SAMPLE_FILE = "docs/sluice.ini.sample"
const START = "<!-- options: written by npm run generate -->\n"
const END = "<!-- end of options -->\n"

export function formatOptionsTable(): string {
  const rows = [
    "| Flag | Environment | File | Default | After SIGHUP | Meaning |",
    "|---|---|---|---|---|---|",
    `| ${formatFlags(CONFIG_FILE)} | \`${CONFIG_FILE.env}\` | | | | ${CONFIG_FILE.doc} |`,
  ]
  for (const entry of entries()) {
    const shown = `\`${formatDefault(entry.default)}\``
    const [section, key] = entry.ini
    rows.push(
      `| ${formatFlags(entry)} | \`${entry.env}\` | \`[${section}] ${key}\` | ${shown} ` +
        `| ${entry.reload ?? "restart"} | ${entry.doc} |`,
    )
  }
  for (const command of Object.values(COMMAND_FLAGS))
    rows.push(`| ${formatFlags(command)} | | | | | ${command.doc} |`)
  return `${rows.join("\n")}\n`
}

function formatFlags(entry: {
  readonly flags: readonly string[]
  readonly argument?: string
}): string {
  const argument = entry.argument === undefined ? "" : ` ${entry.argument}`
  return entry.flags.map((flag) => `\`${flag}\``).join(", ") + argument
}

function entries(): readonly Option<unknown>[] {
  return Object.values(OPTIONS)
}

const COMMENT_WIDTH = 100

/** Every option with its default, commented out, so that the file as it is changes nothing. */
export function formatSampleFile(): string {
  const lines = [
    "# Configuration of Sluice. Every option is shown with its default; remove the ; to set another value.",
    "# A flag or an environment variable wins over this file. Used with: sluice --config FILE",
    "# Written by npm run generate.",
  ]
  for (const section of new Set(entries().map(({ ini }) => ini[0]))) {
    lines.push("", `[${section}]`)
    for (const entry of entries()) {
      if (entry.ini[0] !== section) continue
      const reload = entry.reload === undefined ? "restart" : `SIGHUP, ${entry.reload}`
      const doc = `${entry.doc.replace(/([^.])$/, "$1.")} Changed by: ${reload}.`
      lines.push("", ...wrap(doc), `;${entry.ini[1]} = ${formatDefault(entry.default)}`)
    }
  }
  return `${lines.join("\n")}\n`
}

function wrap(text: string): string[] {
  const lines: string[] = []
  let line = "#"
  for (const word of text.split(" ")) {
    if (line.length + 1 + word.length > COMMENT_WIDTH) {
      lines.push(line)
      line = "#"
    }
    line += ` ${word}`
  }
  return [...lines, line]
}

/** The page with the current table in it. */
export function insertOptionsTable(page: string): string {
  const start = page.indexOf(START)
  const end = page.indexOf(END)
  if (start < 0 || end < start) throw new Error(`${OPTIONS_PAGE} has lost its markers`)
  return page.slice(0, start + START.length) + formatOptionsTable() + page.slice(end)
}

if (import.meta.main) {
  writeFileSync(OPTIONS_PAGE, insertOptionsTable(readFileSync(OPTIONS_PAGE, "utf8")))
  writeFileSync(SAMPLE_FILE, formatSampleFile())
  writeFileSync(COMMANDS_PAGE, withCommandReference(readFileSync(COMMANDS_PAGE, "utf8")))
  writeFileSync(METRICS_PAGE, withMetricTables(readFileSync(METRICS_PAGE, "utf8")))
  writeFileSync(PERF_PAGE, withModeTables(readFileSync(PERF_PAGE, "utf8")))
}
