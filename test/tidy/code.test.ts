/**
 * Size of files and functions, words that must not stay in the code, and waiting by the clock in
 * tests. The reasons are in CONTRIBUTING.md.
 */
import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { globSync, readFileSync } from "node:fs"
import { test } from "node:test"

const FILE_LINES_MAX = 800
const LONG_FUNCTION = /\/\/ tidy: long-function \S/

const files = globSync(["src/**/*.ts", "test/**/*.ts", "bench/**/*.ts", "scripts/**/*.ts"])
  .filter((path) => !path.includes("/generated/"))
  .map((path) => ({ path, lines: readFileSync(path, "utf8").split("\n") }))
const isSource = ({ path }: { readonly path: string }): boolean => path.startsWith("src/")

test("no file is longer than 800 lines", () => {
  const long = files.filter(({ lines }) => lines.length > FILE_LINES_MAX + 1)
  assert.deepEqual(
    long.map(({ path, lines }) => `${path}: ${String(lines.length)}`),
    [],
  )
})

test("every source file begins by saying what it is for", () => {
  const silent = files.filter(isSource).filter(({ lines }) => {
    const code = lines.findIndex((line) => /^(?:export|class|function|const|let)\b/.test(line))
    return !lines.slice(0, code + 1).some((line) => line.startsWith("/**"))
  })
  assert.deepEqual(
    silent.map(({ path }) => path),
    [],
  )
})

interface Diagnostic {
  readonly filename: string
  readonly message: string
  readonly labels: readonly { readonly span: { readonly line: number } }[]
}

test("no function is longer than 70 lines without a reason beside it", () => {
  const { stdout, stderr } = spawnSync(
    "oxlint",
    ["-c", "test/tidy/function-size.json", "-f", "json", "src"],
    { encoding: "utf8" },
  )
  assert.ok(stdout.startsWith("{"), `oxlint said nothing: ${stderr}`)
  const { diagnostics }: { readonly diagnostics: readonly Diagnostic[] } = JSON.parse(stdout)
  const violations: string[] = []
  for (const { filename, message, labels } of diagnostics) {
    if (filename.includes("/generated/")) continue
    const line = labels[0]!.span.line
    const lines = readFileSync(filename, "utf8").split("\n")
    // The remark stands above the function, on its first line or on the next.
    if (lines.slice(Math.max(0, line - 8), line + 1).some((text) => LONG_FUNCTION.test(text)))
      continue
    violations.push(`${filename}:${String(line)}: ${message}`)
  }
  assert.deepEqual(violations, [])
})

interface Ban {
  readonly word: RegExp
  readonly where: (path: string) => boolean
}

// A letter of each word stands in brackets so that this file does not match itself.
const BANS: readonly Ban[] = [
  { word: /FIX[M]E/, where: () => true },
  { word: /TO[D]O(?! #\d)/, where: () => true },
  { word: /\bas an[y]\b/, where: () => true },
  { word: /@ts-(?:ign[o]re|no[c]heck)/, where: () => true },
  { word: /console\.lo[g]/, where: (path) => path.startsWith("src/") },
  {
    word: /\.(?:skip|todo|only)\(/,
    where: (path) => path.startsWith("test/"),
  },
  {
    // Tests wait for events or with eventually(), never by the clock.
    word: /set(?:Timeou[t]|Interva[l])|timers\/promise[s]/,
    where: (path) => path.startsWith("test/") && !path.startsWith("test/support/"),
  },
]

for (const { word, where } of BANS)
  test(`nothing says ${word.source}`, () => {
    const violations: string[] = []
    for (const { path, lines } of files) {
      if (!where(path)) continue
      for (const [index, line] of lines.entries())
        if (word.test(line)) violations.push(`${path}:${String(index + 1)}: ${line.trim()}`)
    }
    assert.deepEqual(violations, [])
  })
