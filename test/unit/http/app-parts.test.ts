/** The application is loaded part by part: none is left out, and everybody else gets a turn between two. */
import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { test } from "node:test"
import { APP_PARTS } from "../../../src/http/app-parts.ts"
import { loadInTurns } from "../../../src/http/lazy-app.ts"
import { SystemClock } from "../../../src/util/clock.ts"

test("everything that the route table imports is a part before it", () => {
  const parts = APP_PARTS.map(String)
  const placeOf = (file: string): number => parts.findIndex((part) => part.includes(`"${file}"`))
  const table = readFileSync("src/http/routes.ts", "utf8")
  const files = [...table.matchAll(/^import \{.*\} from "(.*)"$/gm)].map(([, file = ""]) => file)
  assert.ok(files.length > 20)
  for (const file of files)
    assert.ok(placeOf(file) >= 0 && placeOf(file) < placeOf("./routes.ts"), file)
  assert.ok(placeOf("./routes.ts") < placeOf("./app.ts"))
})

test("each part can be loaded, one after the other, with a turn of the event loop between", async () => {
  let turns = 0
  const turn = (): void => {
    turns++
    if (turns < 1000) setImmediate(turn)
  }
  setImmediate(turn)
  const seen: number[] = []
  const parts = APP_PARTS.map((part) => async () => {
    await part()
    seen.push(turns)
  })
  await loadInTurns(new SystemClock(), parts)
  turns = 1000
  assert.equal(seen.length, APP_PARTS.length)
  for (const [index, count] of seen.entries())
    assert.ok(index === 0 || count > seen[index - 1]!, `part ${String(index)}`)
})

test("a part that cannot be loaded is the end", async () => {
  const loaded: string[] = []
  const parts = [
    () => loaded.push("first"),
    () => Promise.reject(new Error("no such file")),
    () => loaded.push("third"),
  ]
  await assert.rejects(loadInTurns(new SystemClock(), parts), /no such file/)
  assert.deepEqual(loaded, ["first"])
})
