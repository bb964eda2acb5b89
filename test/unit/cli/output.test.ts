/** Formats of results, and names that would break rows or command the terminal. */
import assert from "node:assert/strict"
import { test } from "node:test"
import type { Format } from "../../../src/cli/global-options.ts"
import { Output } from "../../../src/cli/output.ts"
import type { Row } from "../../../src/cli/output.ts"
import { cellText, csvCell, printable, valueAt } from "../../../src/cli/text.ts"

class TextSink {
  text = ""
  writes = 0
  readonly isTerminal: boolean

  constructor(isTerminal: boolean) {
    this.isTerminal = isTerminal
  }

  write(text: string | Uint8Array): Promise<void> {
    this.text += String(text)
    this.writes++
    return Promise.resolve()
  }
}

async function* batches(...all: readonly (readonly Row[])[]): AsyncGenerator<readonly Row[]> {
  yield* all
}

async function listed(format: Format, isTerminal: boolean, rows: readonly Row[]): Promise<string> {
  const sink = new TextSink(isTerminal)
  const output = new Output(sink, { format, isQuiet: false, hasHeaders: true })
  await output.list(["name", "count"], batches(rows))
  return sink.text
}

const ROWS: readonly Row[] = [
  ["a\tb", 1],
  ["longer name", null],
]

test("a list in every format", async () => {
  assert.equal(await listed("table", false, ROWS), "name\tcount\na\\tb\t1\nlonger name\t\n")
  assert.equal(
    await listed("table", true, ROWS),
    "name         count\na\\tb         1\nlonger name\n",
  )
  assert.equal(await listed("csv", true, ROWS), "name,count\r\na\tb,1\r\nlonger name,\r\n")
  assert.equal(
    await listed("json", true, ROWS),
    '[{"name":"a\\tb","count":1},{"name":"longer name","count":null}]\n',
  )
})

test("an empty list has no header in text, and is an array in JSON", async () => {
  assert.equal(await listed("text", false, []), "")
  assert.equal(await listed("json", false, []), "[]\n")
  assert.equal(await listed("csv", false, []), "name,count\r\n")
})

test("a long list is written in pieces", async () => {
  const sink = new TextSink(false)
  const output = new Output(sink, { format: "json", isQuiet: false, hasHeaders: true })
  const page = Array.from({ length: 500 }, (_, i) => [`queue-${String(i)}`, i])
  await output.list(["name", "count"], batches(page, page, page, page))
  const parsed: unknown = JSON.parse(sink.text)
  assert.ok(Array.isArray(parsed))
  assert.equal(parsed.length, 2000)
  assert.ok(sink.writes > 3)
})

test("what a client names cannot command the terminal or break a row", () => {
  assert.equal(printable("a\u001b[2J\n\u009b\u2028\u202e"), "a\\x1b[2J\\n\\x9b\\u2028\\u202e")
  assert.equal(cellText({ a: "\n" }), '{"a":"\\n"}')
  assert.equal(cellText(["x", "y"]), "[x, y]")
  assert.equal(csvCell('a"b'), '"a""b"')
  assert.equal(csvCell("=1+1,2"), '"=1+1,2"')
})

test("a dotted path finds nested fields of the row only", () => {
  assert.equal(valueAt({ a: { b: 1 } }, "a.b"), 1)
  assert.equal(valueAt({ a: null }, "a.b"), undefined)
  assert.equal(valueAt({}, "constructor"), undefined)
})
