/** The tables of flags in docs/sluiceperf.md, from the table of modes. */
import { formatModesTable } from "../src/perf/command-line.ts"

export const PERF_PAGE = "docs/sluiceperf.md"
const START = "<!-- modes: written by npm run generate -->\n"
const END = "<!-- end of modes -->\n"

/** The page with the current tables in it. */
export function withModeTables(page: string): string {
  const start = page.indexOf(START)
  const end = page.indexOf(END)
  if (start < 0 || end < start) throw new Error(`${PERF_PAGE} has lost its markers`)
  return `${page.slice(0, start + START.length)}\n${formatModesTable()}${page.slice(end)}`
}
