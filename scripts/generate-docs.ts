/**
 * Writes the table of options into docs/configuration.md, between its two markers. The tidy test
 * compares the page with the same text, so a forgotten run shows.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { COMMAND_FLAGS, OPTIONS, formatDefault } from "../src/config/options.ts"
import type { Option } from "../src/config/options.ts"

export const OPTIONS_PAGE = "docs/configuration.md"
const START = "<!-- options: written by npm run generate -->\n"
const END = "<!-- end of options -->\n"

export function formatOptionsTable(): string {
  const rows = ["| Flag | Environment | Default | Meaning |", "|---|---|---|---|"]
  const entries: readonly Option<unknown>[] = Object.values(OPTIONS)
  for (const entry of entries) {
    const argument = entry.argument === undefined ? "" : ` ${entry.argument}`
    const flags = entry.flags.map((flag) => `\`${flag}\``).join(", ") + argument
    const shown = `\`${formatDefault(entry.default)}\``
    rows.push(`| ${flags} | \`${entry.env}\` | ${shown} | ${entry.doc} |`)
  }
  for (const command of Object.values(COMMAND_FLAGS))
    rows.push(`| ${command.flags.map((flag) => `\`${flag}\``).join(", ")} | | | ${command.doc} |`)
  return `${rows.join("\n")}\n`
}

/** The page with the current table in it. */
export function insertOptionsTable(page: string): string {
  const start = page.indexOf(START)
  const end = page.indexOf(END)
  if (start < 0 || end < start) throw new Error(`${OPTIONS_PAGE} has lost its markers`)
  return page.slice(0, start + START.length) + formatOptionsTable() + page.slice(end)
}

if (import.meta.main)
  writeFileSync(OPTIONS_PAGE, insertOptionsTable(readFileSync(OPTIONS_PAGE, "utf8")))
