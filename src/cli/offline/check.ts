/** `store check`: every file of every queue and all definitions, row by row what is wrong. Changes nothing. */
import { checkStore } from "../../storage/check.ts"
import type { CheckProblem, CheckReport } from "../../storage/check.ts"
import {
  DEFINITIONS_HEADER_SIZE,
  definitionsVersion,
  scanEntries,
} from "../../storage/definitions-format.ts"
import { CliError, EXIT } from "../exit-codes.ts"
import type { Session } from "../session.ts"
import {
  DEFINITIONS_FILE,
  guarded,
  hashedDirectories,
  openDataFiles,
  textOf,
} from "./data-files.ts"
import type { DataFiles } from "./data-files.ts"

const JSON_FILES = ["users.json", "vhosts.json", "user_limits.json", "parameters.json"]
const VHOST_JSON_FILES = [
  "policies.json",
  "operator_policies.json",
  "parameters.json",
  "limits.json",
]

interface Sums {
  vhosts: number
  queues: number
  segments: number
  messages: number
  bytes: number
  definitions: number
  problems: number
  setAsideFiles: number
  setAsideBytes: number
}

function noSums(): Sums {
  return {
    vhosts: 0,
    queues: 0,
    segments: 0,
    messages: 0,
    bytes: 0,
    definitions: 0,
    problems: 0,
    setAsideFiles: 0,
    setAsideBytes: 0,
  }
}

function addReport(sums: Sums, report: CheckReport): void {
  sums.segments += report.segmentCount
  sums.messages += report.readyCount
  sums.bytes += report.readyBytes
  sums.setAsideFiles += report.corruptFileCount
  sums.setAsideBytes += report.holeBytes
}

type Problem = readonly [vhost: string, queue: string, path: string, position: number, text: string]

export async function checkDataDirectory(session: Session): Promise<void> {
  const files = openDataFiles(session)
  const sums = noSums()
  await session.say("Checking {directory} ...")
  const columns = ["vhost", "queue", "path", "position", "problem"]
  await session.output.list(columns, counted())
  // The list stands alone for programs.
  if (!session.output.isForPrograms) await session.output.record({ ...sums })
  if (sums.problems > 0)
    throw new CliError(
      EXIT.data,
      `${String(sums.problems)} problem(s) found in ${files.root}: ${String(sums.messages)} messages of ${String(sums.queues)} queues were checked`,
    )

  async function* counted(): AsyncGenerator<readonly Problem[]> {
    for (const problems of walk(files, sums)) {
      sums.problems += problems.length
      if (problems.length > 0) yield problems
    }
  }
}

/** The problems of one queue at a time. */
function* walk(files: DataFiles, sums: Sums): Generator<readonly Problem[]> {
  const { disk, root } = files
  yield JSON_FILES.flatMap((name) => jsonProblem(files, `${root}/${name}`, ""))
  for (const directory of guarded(() => hashedDirectories(disk, root))) {
    sums.vhosts++
    const vhost = guarded(() => textOf(disk, `${directory}/.vhost`)) ?? directory
    yield definitionProblems(files, directory, vhost, sums)
    yield VHOST_JSON_FILES.flatMap((name) => jsonProblem(files, `${directory}/${name}`, vhost))
    for (const queueDirectory of guarded(() => hashedDirectories(disk, directory))) {
      sums.queues++
      const queue = guarded(() => textOf(disk, `${queueDirectory}/.queue`)) ?? queueDirectory
      const report = guarded(() => checkStore(disk, queueDirectory))
      addReport(sums, report)
      yield report.problems.map((problem) => rowOf(vhost, queue, problem))
    }
  }
}

function rowOf(vhost: string, queue: string, { path, position, text }: CheckProblem): Problem {
  return [vhost, queue, path, position, text]
}

function jsonProblem({ disk }: DataFiles, path: string, vhost: string): Problem[] {
  const text = guarded(() => textOf(disk, path))
  if (text === null) return []
  try {
    JSON.parse(text)
    return []
  } catch {
    return [[vhost, "", path, 0, "is no JSON"]]
  }
}

function definitionProblems(
  { disk }: DataFiles,
  directory: string,
  vhost: string,
  sums: Sums,
): Problem[] {
  const path = `${directory}/${DEFINITIONS_FILE}`
  const content = guarded(() => disk.readFile(path))
  if (content === null || content.length === 0) return []
  const problems: Problem[] = []
  const start = definitionsVersion(content) === 0 ? 0 : DEFINITIONS_HEADER_SIZE
  if (start === 0) problems.push([vhost, "", path, 0, "has no header"])
  const end = scanEntries(content, start, {
    onFrame: () => sums.definitions++,
    onGap: (from, to) =>
      problems.push([vhost, "", path, from, `${String(to - from)} bytes are damaged`]),
  })
  if (end < content.length)
    problems.push([vhost, "", path, end, `${String(content.length - end)} bytes are torn off`])
  return problems
}
