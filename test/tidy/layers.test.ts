/**
 * Which folder of src/ may import which, and which file may open a door to the outside (time,
 * chance, disk, network). Only reads the source; ARCHITECTURE.md must show the same table.
 */
import assert from "node:assert/strict"
import { globSync, readFileSync } from "node:fs"
import { dirname, join, normalize } from "node:path"
import { test } from "node:test"

/** Type-only imports count too. `bin` holds the entry files. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  util: [],
  config: ["util"],
  amqp: ["util"],
  storage: ["util", "amqp"],
  auth: ["util", "storage"],
  broker: ["util", "amqp", "storage", "auth"],
  session: ["util", "amqp", "auth", "broker"],
  client: ["util", "amqp"],
  perf: ["util", "config", "amqp", "client"],
  cli: ["util", "config", "auth", "storage", "amqp", "broker"],
  net: ["util", "config"],
  links: ["util", "amqp", "auth", "broker", "client"],
  http: ["util", "config", "amqp", "auth", "broker", "net", "links"],
  ui: [],
  server: [
    "util",
    "config",
    "amqp",
    "storage",
    "auth",
    "broker",
    "session",
    "client",
    "links",
    "net",
    "http",
  ],
  bin: ["util", "config", "server", "perf", "cli"],
}

interface Door {
  readonly what: string
  readonly pattern: RegExp
  readonly allowed: RegExp
}

const DOORS: readonly Door[] = [
  {
    what: "time",
    pattern:
      /\bDate\.now\(|\bnew Date\(\)|\bperformance\.now\(|(?<![.\w])set(?:Timeout|Interval|Immediate)\(/,
    allowed: /^src\/(?:util|ui\/core)\/clock\.ts$/,
  },
  { what: "chance", pattern: /\bMath\.random\(/, allowed: /^src\/util\/random\.ts$/ },
  {
    what: "the disk",
    pattern: /["']node:fs(?:\/promises)?["']/,
    allowed:
      /^src\/(?:storage\/(?:node-disk|lock-file)\.ts|server\/(?:ui-assets|file-descriptors|cgroup-memory)\.ts|net\/(?:unix-path|key-log)\.ts|config\/.*|client\/tls-files\.ts|cli\/files\.ts|bin\/.*)$/,
  },
  {
    what: "the network",
    pattern: /^(?!import type).*["']node:(?:net|tls|dgram|http|https|http2)["']/m,
    allowed:
      /^src\/(?:net\/.*|client\/socket-dialer\.ts|links\/shovel\/http-sender\.ts|cli\/transport\.ts)$/,
  },
]

const IMPORT = /(?:from|import)\s*\(?\s*["'](\.{1,2}\/[^"']+)["']/g

const sources = globSync("src/**/*.ts").map((path) => ({ path, text: readFileSync(path, "utf8") }))

test("there is source code to check", () => {
  assert.ok(sources.length > 0)
})

test("folders import only what the layer table allows", () => {
  const violations: string[] = []
  for (const { path, text } of sources) {
    const from = path.split("/")[1]!
    if (MAY_IMPORT[from] === undefined) violations.push(`${path}: no row for '${from}'`)
    for (const [, specifier] of text.matchAll(IMPORT)) {
      const to = normalize(join(dirname(path), specifier!)).split("/")[1]!
      if (to !== from && !MAY_IMPORT[from]?.includes(to))
        violations.push(`${path}: ${from} must not import ${to}`)
    }
  }
  assert.deepEqual(violations, [])
})

test("every folder of the layer table exists", () => {
  const folders = new Set(sources.map(({ path }) => path.split("/")[1]!))
  assert.deepEqual(
    Object.keys(MAY_IMPORT).filter((folder) => !folders.has(folder)),
    [],
  )
})

for (const door of DOORS)
  test(`only its door reaches ${door.what}`, () => {
    const violations: string[] = []
    for (const { path, text } of sources) {
      if (door.allowed.test(path)) continue
      for (const [index, line] of withoutComments(text).split("\n").entries())
        if (door.pattern.test(line)) violations.push(`${path}:${String(index + 1)}: ${line.trim()}`)
    }
    assert.deepEqual(violations, [])
  })

test("ARCHITECTURE.md shows the layer table", () => {
  const rows = Object.entries(MAY_IMPORT).map(([folder, allowed]) => {
    const cells = allowed.map((name) => `\`${name}\``).join(", ")
    return `| \`${folder}\` | ${cells === "" ? "–" : cells} |`
  })
  const table = ["| Folder | May import |", "|---|---|", ...rows].join("\n")
  assert.ok(
    readFileSync("ARCHITECTURE.md", "utf8").includes(table),
    `ARCHITECTURE.md needs this table:\n${table}`,
  )
})

/** The text with comments blanked, line numbers kept. Good enough for code that oxfmt formats. */
function withoutComments(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, " "))
    .replace(/(^|\s)\/\/.*$/gm, "$1")
}
