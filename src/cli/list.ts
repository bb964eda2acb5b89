/** Reads a list of the API as its table of columns says, page by page, and again and again with --watch. */
import type { ArgumentSpec, Column, CommandSpec, ListSpec, OptionSpec } from "./command.ts"
import { usageError } from "./exit-codes.ts"
import type { Row } from "./output.ts"
import type { Session } from "./session.ts"
import { valueAt } from "./text.ts"

const COLUMN_ARGUMENT: ArgumentSpec = {
  name: "column",
  doc: "Columns to show, in this order",
  isOptional: true,
  isVariadic: true,
}

const LIST_OPTIONS: readonly OptionSpec[] = [
  { flags: "--match <text>", doc: "Only what has this in its name" },
  { flags: "--regex", doc: "The text of --match is a regular expression" },
  { flags: "--sort <column>", doc: "Order by this column" },
  { flags: "--reverse", doc: "In the other order" },
  { flags: "--limit <rows>", min: 1, doc: "No more than so many rows" },
  {
    flags: "--watch <seconds>",
    min: 1,
    doc: "Show the list again after so many seconds, until interrupted",
  },
  { flags: "--watch-count <times>", min: 1, doc: "With --watch: end after so many times" },
]

/** Rows of a --watch on a terminal, unless --limit says otherwise. */
const WATCH_ROWS = 500
const CLEAR_SCREEN = "\u001b[H\u001b[2J"

/** Adds the arguments and options that all lists have. */
export function listCommand(command: CommandSpec & { readonly list: ListSpec }): CommandSpec {
  const args = command.arguments ?? []
  return {
    ...command,
    arguments: command.list.hasFixedColumns === true ? args : [...args, COLUMN_ARGUMENT],
    options: [...(command.options ?? []), ...LIST_OPTIONS],
  }
}

export async function runList(session: Session, list: ListSpec): Promise<void> {
  chosenColumns(session, list) // What is wrong with them is said before anything else.
  const seconds = session.values.number("--watch")
  if (seconds === undefined) {
    await session.say(`Listing ${list.heading} ...`)
    await showList(session, list, session.values.number("--limit") ?? Infinity)
    return
  }
  const count = session.values.number("--watch-count") ?? Infinity
  for (let round = 1; ; round++) {
    if (session.output.sink.isTerminal) await session.output.sink.write(CLEAR_SCREEN)
    await session.say(`Listing ${list.heading} ...`)
    await showList(session, list, session.values.number("--limit") ?? WATCH_ROWS)
    if (round >= count) return
    await session.sleep(seconds * 1000)
  }
}

async function showList(session: Session, list: ListSpec, limit: number): Promise<void> {
  const columns = chosenColumns(session, list)
  const names = columns.map(({ name }) => name)
  await session.output.list(names, rowsOf(session, list, columns, limit))
}

async function* rowsOf(
  session: Session,
  list: ListSpec,
  columns: readonly Column[],
  limit: number,
): AsyncGenerator<readonly Row[]> {
  let left = limit
  for await (const items of session.api.pages(listPath(session, list, columns))) {
    const shown = list.rows?.(items, session) ?? items
    const taken = left < shown.length ? shown.slice(0, left) : shown
    yield taken.map((item) => columns.map(({ name, field }) => valueAt(item, field ?? name)))
    left -= taken.length
    if (left <= 0) return
  }
}

function listPath(session: Session, list: ListSpec, columns: readonly Column[]): string {
  const { values } = session
  const hasVhost = list.vhostPath !== undefined && session.globals.optional("vhost") !== undefined
  const query = new URLSearchParams()
  const fields = new Set(columns.map(({ name, field }) => field ?? name))
  for (const field of list.needs ?? []) fields.add(field)
  query.set("columns", [...fields].join(","))
  const match = values.optional("--match")
  if (match !== undefined) query.set("name", match)
  if (values.isOn("--regex")) query.set("use_regex", "true")
  const sort = values.optional("--sort")
  if (sort !== undefined) {
    const column = columnNamed(list, sort)
    query.set("sort", column.field ?? column.name)
  }
  if (values.isOn("--reverse")) query.set("sort_reverse", "true")
  return `${session.path(hasVhost ? (list.vhostPath ?? list.path) : list.path)}?${query.toString()}`
}

/** Also `name,messages` in one argument, as some scripts write it. */
function chosenColumns(session: Session, list: ListSpec): readonly Column[] {
  const given =
    list.hasFixedColumns === true
      ? []
      : session.values
          .list("column")
          .flatMap((text) => text.split(",").filter((name) => name !== ""))
  return (given.length > 0 ? given : list.defaults).map((name) => columnNamed(list, name))
}

function columnNamed(list: ListSpec, name: string): Column {
  const column = list.columns.find((known) => known.name === name)
  if (column !== undefined) return column
  const allowed = list.columns.map((known) => known.name).join(", ")
  throw usageError(`there is no column '${name}'; columns are: ${allowed}`)
}
