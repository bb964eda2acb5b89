/**
 * Runs the checks and the tests: `npm test` all of them, `npm run check` the quick ones, and
 * `npm test -- wire crash` the suites named. The tests run in one `node --test`, whose closing
 * lines count all of them. A suite without a test file is a failure, never a silent skip.
 */
import { spawn } from "node:child_process"
import { globSync } from "node:fs"
import { meetRequirements } from "./requirements.ts"

/** The folders of test/ in the order in which they start: slow suites first, to share the cores. */
const SUITES = [
  "crash",
  "browser",
  "fuzz",
  "integration",
  "model",
  "storage",
  "wire",
  "alloc",
  "http",
  "ui",
  "tidy",
  "unit",
] as const
const QUICK_SUITES: readonly string[] = ["tidy", "unit"]
const CODE_FOLDERS = ["src", "test", "bench", "scripts"]

/** One file may take this long; the time-boxed suites need 60 s in CI. */
const FILE_TIMEOUT_MS = 240_000
const CONCURRENCY = 2

interface Step {
  readonly name: string
  readonly command: readonly string[]
}

const TOOL_STEPS: readonly Step[] = [
  { name: "format", command: ["oxfmt", "--check", ...CODE_FOLDERS] },
  { name: "types", command: ["tsc", "-p", "."] },
  { name: "types of bench", command: ["tsc", "-p", "bench"] },
  { name: "types of scripts", command: ["tsc", "-p", "scripts"] },
  { name: "types of ui", command: ["tsc", "-p", "src/ui"] },
  { name: "lint", command: ["oxlint", "--quiet", ...CODE_FOLDERS] },
]

async function main(): Promise<void> {
  const names = process.argv.slice(2)
  const isCheck = names[0] === "check"
  const suites = isCheck ? QUICK_SUITES : names.length > 0 ? names : SUITES
  const unknown = suites.filter((suite) => !SUITES.some((known) => known === suite))
  if (unknown.length > 0) {
    console.error(`no such suite: ${unknown.join(", ")} (${SUITES.join(", ")})`)
    process.exitCode = 2
    return
  }
  const missing = meetRequirements()
  if (missing.length > 0) {
    console.error(missing.join("\n"))
    process.exitCode = 1
    return
  }

  const startMs = performance.now()
  const failures: string[] = []
  if (isCheck || names.length === 0)
    for (const step of TOOL_STEPS)
      if (!(await succeeds(step.command))) failures.push(step.name)
      else console.log(`✔ ${step.name}`)

  const files: string[] = []
  for (const suite of suites) {
    const found = globSync(`test/${suite}/**/*.test.ts`).toSorted()
    if (found.length === 0) failures.push(`${suite} has no tests`)
    files.push(...found)
  }
  const tests = [
    process.execPath,
    // test/alloc measures the heap: no collection may fall into its window.
    "--expose-gc",
    "--min-semi-space-size=64",
    "--test",
    "--test-reporter=spec",
    `--test-concurrency=${String(CONCURRENCY)}`,
    `--test-timeout=${String(FILE_TIMEOUT_MS)}`,
    ...files,
  ]
  if (files.length > 0 && !(await succeeds(tests))) failures.push("tests")
  const seconds = ((performance.now() - startMs) / 1000).toFixed(0)
  console.log(
    failures.length === 0
      ? `all passed in ${seconds} s: ${suites.join(", ")}`
      : `FAILED after ${seconds} s: ${failures.join(", ")}`,
  )
  process.exitCode = failures.length === 0 ? 0 : 1
}

function succeeds(command: readonly string[]): Promise<boolean> {
  return new Promise((resolve) => {
    const [program = "", ...args] = command
    const child = spawn(program, args, { stdio: "inherit" })
    child.on("error", (error) => {
      console.error(`${program}: ${error.message}`)
      resolve(false)
    })
    child.on("exit", (code) => resolve(code === 0))
  })
}

await main()
