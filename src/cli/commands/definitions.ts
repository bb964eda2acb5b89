/** Commands that export and import definitions over the API. */
import type { CommandSpec } from "../command.ts"
import { CliError, EXIT } from "../exit-codes.ts"
import { OutputFile, readInput } from "../files.ts"
import { parseJson } from "../json.ts"
import type { Session } from "../session.ts"
import { fieldsOf } from "../text.ts"

const PATH = "/api/definitions"

function definitionsPath(session: Session): string {
  return session.globals.optional("vhost") === undefined
    ? PATH
    : session.path("/api/definitions/{vhost}")
}

/** As it comes from the API, whatever its size. A file appears only when it is whole. */
async function exportDefinitions(session: Session): Promise<void> {
  const path = session.values.optional("file") ?? "-"
  const pieces = session.api.stream(definitionsPath(session))
  if (path === "-") {
    for await (const piece of pieces) await session.output.sink.write(piece)
    return
  }
  await session.say(`Exporting definitions to a file at "{file}" ...`)
  const file = new OutputFile(path)
  for await (const piece of pieces) file.write(piece)
  file.finish()
}

async function importDefinitions(session: Session): Promise<void> {
  const path = session.values.text("file")
  const content = await readInput(path)
  const value = parseJson(content.toString("utf8"), path === "-" ? "the input" : path)
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new CliError(EXIT.data, "definitions are a JSON object")
  if (session.values.isOn("--skip-if-unchanged") && (await isUnchanged(session, value))) {
    await session.say("The definitions are in effect already")
    return
  }
  await session.say(`Importing definitions from "{file}" ...`)
  await session.api.request("POST", definitionsPath(session), { body: content })
}

/** Whether everything in the file is there in the same way; what is there beside it does not count. */
async function isUnchanged(session: Session, wanted: object): Promise<boolean> {
  const pieces: Buffer[] = []
  for await (const piece of session.api.stream(definitionsPath(session))) pieces.push(piece)
  const present = fieldsOf(JSON.parse(Buffer.concat(pieces).toString("utf8")))
  for (const [section, entries] of Object.entries(wanted)) {
    if (!Array.isArray(entries)) continue
    const list = present[section]
    const known = new Set((Array.isArray(list) ? list : []).map(canonical))
    if (!entries.every((entry) => known.has(canonical(entry)))) return false
  }
  return true
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === "object" && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  )
}

export const DEFINITION_COMMANDS: readonly CommandSpec[] = [
  {
    name: "export_definitions",
    group: "Definitions",
    summary: "Writes everything that is declared to standard output or a file, as JSON",
    details: "With --vhost only what is in that virtual host.",
    arguments: [
      { name: "file", doc: "Where to; - or nothing is standard output", isOptional: true },
    ],
    usesVhost: true,
    calls: ["GET /api/definitions"],
    run: exportDefinitions,
  },
  {
    name: "import_definitions",
    group: "Definitions",
    summary: "Declares everything that a file says",
    details: "Files of RabbitMQ and LavinMQ are read as well. With --vhost everything goes there.",
    arguments: [{ name: "file", doc: "The file; - is standard input" }],
    options: [
      {
        flags: "--skip-if-unchanged",
        doc: "Send nothing if all that the file says is so already",
      },
    ],
    usesVhost: true,
    calls: ["POST /api/definitions"],
    run: importDefinitions,
  },
]
