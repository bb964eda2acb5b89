/**
 * A strict reader of Prometheus' text format 0.0.4. Throws at what a lenient one lets pass, too: a metric
 * without HELP and TYPE or with two, samples of a metric in two places, a series twice, a histogram whose
 * buckets fall or do not end in +Inf.
 */
import assert from "node:assert/strict"

export interface Series {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface Family {
  readonly name: string
  readonly type: string
  readonly help: string
  readonly series: Series[]
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^\\"\n]|\\[\\"n])*)"(,|$)/y
const SAMPLE = /^([^{ ]+)(?:\{(.*)\})? ([^ ]+)$/
const SUFFIXES = ["_bucket", "_sum", "_count"]

export function parseExposition(text: string): Map<string, Family> {
  assert.ok(text.endsWith("\n"), "the last line has an end")
  const families = new Map<string, Family>()
  const seen = new Set<string>()
  let help: { readonly name: string; readonly text: string } | null = null
  let family: Family | null = null
  for (const line of text.slice(0, -1).split("\n")) {
    const [mark, word, name = ""] = line.split(" ", 3)
    if (mark === "#" && word === "HELP") {
      assert.equal(help, null, line)
      help = { name, text: line.slice(`# HELP ${name} `.length) }
    } else if (mark === "#" && word === "TYPE") {
      assert.ok(help !== null && help.name === name, `HELP comes before: ${line}`)
      assert.match(name, NAME)
      const type = line.slice(`# TYPE ${name} `.length)
      assert.match(type, /^(?:counter|gauge|histogram)$/)
      assert.ok(!families.has(name), `twice: ${line}`)
      family = { name, type, help: help.text, series: [] }
      families.set(name, family)
      help = null
    } else {
      assert.ok(family !== null && help === null, `no TYPE before: ${line}`)
      const series = parseSample(line)
      assert.ok(belongsTo(series, family), `not of ${family.name}: ${line}`)
      const key = `${series.name}${labelKey(series.labels)}`
      assert.ok(!seen.has(key), `twice: ${line}`)
      seen.add(key)
      family.series.push(series)
    }
  }
  assert.equal(help, null, "a HELP without a TYPE")
  for (const one of families.values()) checkFamily(one)
  return families
}

function labelKey(labels: Series["labels"]): string {
  return Object.keys(labels)
    .toSorted((a, b) => (a < b ? -1 : 1))
    .map((name) => `${name}=${JSON.stringify(labels[name])}`)
    .join()
}

function parseSample(line: string): Series {
  const match = SAMPLE.exec(line)
  assert.ok(match !== null, `no sample: ${line}`)
  const [, name = "", inner = "", text = ""] = match
  assert.match(name, NAME)
  const labels: Record<string, string> = {}
  LABEL.lastIndex = 0
  while (LABEL.lastIndex < inner.length) {
    const label = LABEL.exec(inner)
    assert.ok(label !== null, `bad label: ${line}`)
    const [, key = "", value = ""] = label
    assert.ok(!(key in labels), `a label twice: ${line}`)
    labels[key] = value.replaceAll(/\\([\\"n])/g, (_, escaped: string) =>
      escaped === "n" ? "\n" : escaped,
    )
  }
  const value = text === "+Inf" ? Infinity : Number(text)
  assert.ok(text !== "" && (text === "NaN" || !Number.isNaN(value)), `bad value: ${line}`)
  return { name, labels, value }
}

function belongsTo({ name }: Series, family: Family): boolean {
  if (family.type !== "histogram") return name === family.name
  return SUFFIXES.some((suffix) => name === family.name + suffix)
}

function checkFamily({ name, type, series }: Family): void {
  assert.ok(series.length > 0, `${name} has no samples`)
  if (type === "counter") for (const { value } of series) assert.ok(value >= 0, name)
  if (type === "histogram") checkHistogram(name, series)
}

function checkHistogram(name: string, series: readonly Series[]): void {
  const buckets = series.filter((one) => one.name === `${name}_bucket`)
  let below = 0
  let bound = -Infinity
  for (const { labels, value } of buckets) {
    const next = labels["le"] === "+Inf" ? Infinity : Number(labels["le"])
    assert.ok(next > bound, `${name}: bounds rise`)
    assert.ok(value >= below, `${name}: buckets are cumulative`)
    below = value
    bound = next
  }
  assert.equal(bound, Infinity, `${name} ends in +Inf`)
  assert.equal(series.find((one) => one.name === `${name}_count`)?.value, below)
  assert.ok(series.some((one) => one.name === `${name}_sum`))
}

/** The value of the one series with these labels among its own. */
export function valueOf(
  families: ReadonlyMap<string, Family>,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  const base = families.has(name) ? name : name.replace(/_(?:bucket|sum|count)$/, "")
  const found = (families.get(base)?.series ?? []).filter(
    (series) =>
      series.name === name &&
      Object.entries(labels).every(([key, value]) => series.labels[key] === value),
  )
  assert.equal(found.length, 1, `${String(found.length)} series ${name} ${JSON.stringify(labels)}`)
  return found[0]?.value ?? NaN
}
