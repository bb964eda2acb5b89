/**
 * Writes the manual pages in docs/man from the tables of options, commands and modes: sluice(1), sluice.ini(5),
 * sluicectl(1) and sluiceperf(1). The tidy test compares them with the same texts, so a forgotten run shows.
 */
import { writeFileSync } from "node:fs"
import { callsOf } from "../src/cli/command.ts"
import type { CommandSpec, OptionSpec } from "../src/cli/command.ts"
import { GROUPS } from "../src/cli/command.ts"
import { EXIT_MEANINGS } from "../src/cli/exit-codes.ts"
import { GLOBAL_OPTIONS } from "../src/cli/global-options.ts"
import { COMMANDS } from "../src/cli/table.ts"
import { COMMAND_FLAGS, CONFIG_FILE, OPTIONS, formatDefault } from "../src/config/options.ts"
import type { Option } from "../src/config/options.ts"
import { VERSION } from "../src/config/version.ts"
import { formatDefault as formatFlagDefault } from "../src/perf/command-line.ts"
import { MODES } from "../src/perf/modes.ts"
import type { FlagSpec } from "../src/perf/modes.ts"

/** Path and text of every page. */
export function manualPages(): ReadonlyMap<string, string> {
  return new Map([
    ["docs/man/sluice.1", brokerPage()],
    ["docs/man/sluice.ini.5", configurationPage()],
    ["docs/man/sluicectl.1", controlPage()],
    ["docs/man/sluiceperf.1", loadPage()],
  ])
}

function brokerPage(): string {
  const page = new Page("SLUICE", 1, "sluice - message broker for AMQP 0-9-1")
  page.section("SYNOPSIS")
  page.text("<b>sluice</b> [<i>options</i>]")
  page.section("DESCRIPTION")
  page.text(
    "Runs the broker in the foreground. A value is taken from the command line, else from the environment, else " +
      "from the configuration file, else it is the default.",
  )
  page.section("OPTIONS")
  page.entry(
    flagsOf(CONFIG_FILE.flags, CONFIG_FILE.argument),
    `${CONFIG_FILE.doc}. Environment: <b>${CONFIG_FILE.env}</b>.`,
  )
  for (const option of options()) {
    const value = option.argument === undefined ? "" : ` Default: ${shown(option)}.`
    page.entry(
      flagsOf(option.flags, option.argument),
      `${option.doc}.${value} Environment: <b>${option.env}</b>.`,
    )
  }
  for (const { flags, doc } of Object.values(COMMAND_FLAGS)) page.entry(flagsOf(flags), `${doc}.`)
  page.section("SIGNALS")
  page.entry("<b>SIGTERM</b>, <b>SIGINT</b>", "Stops in order. A second one stops at once.")
  page.entry(
    "<b>SIGHUP</b>",
    "Reads the configuration file and the certificates again. The log says what needs a restart.",
  )
  page.section("EXIT STATUS")
  page.entry("<b>0</b>", "Stopped on request.")
  page.entry("<b>1</b>", "The start failed, or the broker was stopped in a hurry.")
  page.entry("<b>2</b>", "The command line or the configuration file makes no sense.")
  page.section("ENVIRONMENT")
  page.entry(
    "<b>STATE_DIRECTORY</b>, <b>CONFIGURATION_DIRECTORY</b>",
    "Set by systemd: where the data goes, and where sluice.ini is looked for, if nothing else is said.",
  )
  page.entry("<b>NOTIFY_SOCKET</b>", "Set by systemd: it is told of start, reload and stop.")
  page.section("SEE ALSO")
  page.text("<b>sluice.ini</b>(5), <b>sluicectl</b>(1), <b>sluiceperf</b>(1)")
  return page.toString()
}

function configurationPage(): string {
  const page = new Page("SLUICE.INI", 5, "sluice.ini - configuration file of the sluice broker")
  page.section("DESCRIPTION")
  page.text(
    "Sections in brackets, lines of <i>key</i> = <i>value</i>, comments behind ; or # at the beginning of a line. An " +
      "unknown section, an unknown key or a bad value is an error that names the line. Sizes may end in KiB, MiB or GiB.",
  )
  const sections = new Set(options().map(({ ini }) => ini[0]))
  for (const section of sections) {
    page.section(`[${section}]`)
    for (const option of options()) {
      if (option.ini[0] !== section) continue
      const reload = option.reload === undefined ? "a restart" : `SIGHUP, ${option.reload}`
      page.entry(
        `<b>${option.ini[1]}</b>`,
        `${option.doc}. Default: ${shown(option)}. A change takes ${reload}.`,
      )
    }
  }
  page.section("SEE ALSO")
  page.text("<b>sluice</b>(1)")
  return page.toString()
}

function controlPage(): string {
  const page = new Page("SLUICECTL", 1, "sluicectl - operate a sluice broker")
  page.section("SYNOPSIS")
  page.text("<b>sluicectl</b> [<i>options</i>] <i>command</i> [<i>arguments</i>]")
  page.section("DESCRIPTION")
  page.text(
    "Speaks with the broker on this machine through its control socket, without credentials, or with any broker " +
      "through the management API.",
  )
  page.section("OPTIONS")
  for (const option of GLOBAL_OPTIONS) page.entry(commandFlags(option), `${option.doc}.`)
  for (const group of GROUPS) {
    const commands = COMMANDS.filter((command) => command.group === group)
    if (commands.length === 0) continue
    page.section(`COMMANDS: ${group.toUpperCase()}`)
    for (const command of commands) page.entry(usageOf(command), meaningOf(command))
  }
  page.section("EXIT STATUS")
  for (const [code, meaning] of EXIT_MEANINGS) page.entry(`<b>${String(code)}</b>`, meaning)
  page.section("SEE ALSO")
  page.text("<b>sluice</b>(1), <b>sluiceperf</b>(1)")
  return page.toString()
}

function loadPage(): string {
  const page = new Page("SLUICEPERF", 1, "sluiceperf - measure brokers for AMQP 0-9-1")
  page.section("SYNOPSIS")
  page.text("<b>sluiceperf</b> <i>mode</i> [<i>options</i>]")
  page.section("DESCRIPTION")
  page.text(
    "Makes load and measures what becomes of it: throughput and latency, how fast things are opened and closed, how many " +
      "of them fit. The first interrupt ends a run with its summary, the second one at once.",
  )
  page.section("OPTIONS")
  page.entry("<b>-h</b>, <b>--help</b>", "Of the program, or behind a mode of that mode.")
  page.entry("<b>-v</b>, <b>--version</b>", "Print the version and exit.")
  page.entry("<b>--build-info</b>", "Print the version and the runtime and exit.")
  for (const { name, doc, flags } of MODES) {
    page.section(`MODE: ${name.toUpperCase()}`)
    page.text(`${doc}.`)
    for (const flag of flags) page.entry(loadFlags(flag), loadMeaning(flag))
  }
  page.section("EXIT STATUS")
  page.entry("<b>0</b>", "Done, or interrupted.")
  page.entry(
    "<b>1</b>",
    "The command line makes no sense, or the broker refused what trying again cannot help.",
  )
  page.section("SEE ALSO")
  page.text("<b>sluice</b>(1), <b>sluicectl</b>(1)")
  return page.toString()
}

function loadFlags({ flags, aliases = [], argument }: FlagSpec): string {
  const names = [...flags, ...aliases].map((flag) => `<b>${flag}</b>`).join(", ")
  return argument === undefined ? names : `${names} <i>${argument}</i>`
}

function loadMeaning(flag: FlagSpec): string {
  const isPlain = flag.kind === "switch" || flag.default === null
  return isPlain ? `${flag.doc}.` : `${flag.doc}. Default: ${formatFlagDefault(flag)}.`
}

function usageOf(command: CommandSpec): string {
  const operands = (command.arguments ?? []).map(({ name, isOptional, isVariadic }) => {
    const text = `<i>${name}</i>${isVariadic === true ? " ..." : ""}`
    return isOptional === true ? `[${text}]` : text
  })
  const flags = (command.options ?? []).map((option) => `[${commandFlags(option)}]`)
  return [`<b>${command.name}</b>`, ...operands, ...flags].join(" ")
}

function meaningOf(command: CommandSpec): string {
  const parts = [`${command.summary}.`]
  if (command.details !== undefined) parts.push(command.details)
  const aliases = command.aliases ?? []
  if (aliases.length > 0) parts.push(`Also: ${aliases.join(", ")}.`)
  const calls = callsOf(command)
  if (calls.length > 0) parts.push(`Calls ${calls.join(", ")}.`)
  return parts.join(" ")
}

/** `-p, --vhost <name>` with the placeholder in italics. */
function commandFlags({ flags }: OptionSpec): string {
  return flags.replace(/--?[a-zA-Z][\w-]*/g, "<b>$&</b>").replace(/<([a-z][\w-]+)>/g, "<i>$1</i>")
}

function flagsOf(flags: readonly string[], argument?: string): string {
  const names = flags.map((flag) => `<b>${flag}</b>`).join(", ")
  return argument === undefined ? names : `${names}=<i>${argument}</i>`
}

function shown(option: Option<unknown>): string {
  const text = formatDefault(option.default)
  return text === "" ? "none" : text
}

function options(): readonly Option<unknown>[] {
  return Object.values(OPTIONS)
}

/** A page in man(7) macros. In texts <b> and <i> mark bold and italics; everything else is literal. */
class Page {
  readonly #lines: string[]

  constructor(title: string, section: number, name: string) {
    this.#lines = [
      '.\\" Written by npm run generate.',
      `.TH ${title} ${String(section)} "" "Sluice ${VERSION}"`,
      ".SH NAME",
      escaped(name),
    ]
  }

  section(title: string): void {
    this.#lines.push(`.SH "${escaped(title)}"`)
  }

  text(markup: string): void {
    this.#lines.push(formatted(markup))
  }

  entry(term: string, markup: string): void {
    this.#lines.push(".TP", formatted(term), formatted(markup))
  }

  toString(): string {
    return `${this.#lines.join("\n")}\n`
  }
}

const FONTS: Readonly<Record<string, string>> = {
  "<b>": "\\fB",
  "</b>": "\\fR",
  "<i>": "\\fI",
  "</i>": "\\fR",
}

function formatted(markup: string): string {
  const parts = markup.split(/(<\/?[bi]>)/)
  const line = parts.map((part) => FONTS[part] ?? escaped(part)).join("")
  // A line that begins with a dot or quote would be a command.
  return /^[.']/.test(line) ? `\\&${line}` : line
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replaceAll("`", "")
}

if (import.meta.main) for (const [path, text] of manualPages()) writeFileSync(path, text)
