/**
 * Runs the benchmark, prints its table and keeps the figures.
 *
 *   npm run bench                    all rows
 *   npm run bench -- quick           all rows, shorter
 *   npm run bench -- flow ping       the rows whose name contains one of the words
 *
 * A row below its floor is marked and does not fail the run: the machine may be busy. A row that
 * could not be measured does.
 */
import { spawnSync } from "node:child_process"
import { appendFileSync } from "node:fs"
import { cpus, loadavg } from "node:os"
import { Bench } from "./bench.ts"
import type { Measurement, Row } from "./bench.ts"
import { compileLoad } from "./load.ts"
import { ROWS } from "./rows.ts"

const RESULTS = "bench/results.ndjson"

async function main(): Promise<void> {
  const words = process.argv.slice(2)
  const filters = words.filter((word) => word !== "quick")
  const rows = ROWS.filter(
    (row) => filters.length === 0 || filters.some((filter) => row.name.includes(filter)),
  )
  if (rows.length === 0) {
    const names = [...new Set(ROWS.map((row) => row.name))]
    console.error(`no such row; there are ${names.join(", ")}`)
    process.exitCode = 2
    return
  }
  compileLoad()
  const environment = describeEnvironment()
  console.log(
    `${environment.revision}, Node ${environment.node}, ${environment.cpu}, load ${environment.load.toFixed(2)}`,
  )
  if (environment.load > 0.5) console.log("The machine is busy: compare ratios, not figures.")
  console.log(formatLine(["", "measured", "goal", "ceiling", "ratio", "RSS", "CPU"]))
  const bench = new Bench(words.includes("quick"))
  const measurements: Measurement[] = []
  for (const row of rows)
    for (const measurement of await runRow(row, bench)) {
      measurements.push(measurement)
      console.log(formatMeasurement(measurement))
    }
  const record = { ...environment, quick: bench.isQuick, filters, rows: measurements }
  appendFileSync(RESULTS, `${JSON.stringify(record)}\n`)
}

async function runRow(row: Row, bench: Bench): Promise<readonly Measurement[]> {
  try {
    return await row.run(bench)
  } catch (error) {
    console.log(`✖ ${row.name}: ${error instanceof Error ? error.message : String(error)}`)
    process.exitCode = 1
    return []
  }
}

function describeEnvironment(): {
  readonly at: string
  readonly revision: string
  readonly node: string
  readonly cpu: string
  readonly load: number
} {
  const isDirty = git(["status", "--porcelain", "--", "src"]) !== ""
  const [first] = cpus()
  return {
    at: new Date().toISOString(),
    revision: `${git(["rev-parse", "--short", "HEAD"])}${isDirty ? "+" : ""}`,
    node: process.versions.node,
    cpu: `${first?.model.trim() ?? "unknown"} × ${String(cpus().length)}`,
    load: loadavg()[0] ?? 0,
  }
}

function git(args: readonly string[]): string {
  return (spawnSync("git", args, { encoding: "utf8" }).stdout ?? "").trim()
}

function formatMeasurement(one: Measurement): string {
  const isMet =
    (one.floor === undefined || one.value >= one.floor) &&
    (one.limit === undefined || one.value <= one.limit)
  const goal =
    one.floor !== undefined
      ? `≥ ${formatValue(one.floor, one.unit)}`
      : one.limit !== undefined
        ? `≤ ${formatValue(one.limit, one.unit)}`
        : ""
  const hasCeiling = one.ceiling !== undefined
  const line = formatLine([
    `${isMet ? "✔" : "✖"} ${one.name}`,
    formatValue(one.value, one.unit),
    goal,
    hasCeiling ? formatValue(one.ceiling, one.unit) : "",
    hasCeiling ? (one.value / one.ceiling).toFixed(2) : "",
    one.rssBytes === undefined ? "" : formatValue(one.rssBytes, "bytes"),
    one.cpu === undefined ? "" : `${(one.cpu * 100).toFixed(0)} %`,
  ])
  return one.note === undefined || one.note === "" ? line : `${line}  ${one.note}`
}

function formatValue(value: number, unit: Measurement["unit"]): string {
  if (unit === "ms") return `${value.toFixed(value < 10 ? 2 : 0)} ms`
  if (unit === "ratio") return value.toFixed(2)
  if (unit === "bytes")
    return Math.abs(value) >= 2 ** 20
      ? `${(value / 2 ** 20).toFixed(1)} MiB`
      : `${(value / 1024).toFixed(2)} KiB`
  return `${Math.round(value).toLocaleString("en")}/s`
}

const WIDTHS = [66, 14, 16, 14, 5, 10, 6] as const

function formatLine(cells: readonly string[]): string {
  return cells
    .map((cell, index) =>
      index === 0 ? cell.padEnd(WIDTHS[0]) : cell.padStart(WIDTHS[index] ?? 0),
    )
    .join(" ")
}

await main()
