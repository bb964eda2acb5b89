/** A large JSON object read element by element: the same values as JSON.parse gives. */
import assert from "node:assert/strict"
import { test } from "node:test"
import * as fc from "fast-check"
import { HttpError } from "../../../src/http/errors.ts"
import { readSections } from "../../../src/http/json-sections.ts"
import { Slices } from "../../../src/http/slices.ts"
import { ManualClock } from "../../../src/util/clock.ts"
import { chooseSeed } from "../../support/seed.ts"

const seed = chooseSeed("JSON in sections")

async function read(text: string): Promise<[string, unknown, number][]> {
  const found: [string, unknown, number][] = []
  await readSections(Buffer.from(text), new Slices(new ManualClock()), (key, element, index) => {
    found.push([key, element, index])
  })
  return found
}

function expected(value: Readonly<Record<string, unknown>>): [string, unknown, number][] {
  return Object.entries(value).flatMap(([key, entry]) =>
    Array.isArray(entry)
      ? entry.map((element: unknown, index): [string, unknown, number] => [key, element, index])
      : [[key, entry, 0]],
  )
}

test("the elements are those of JSON.parse, however the text is laid out", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 4 })),
      fc.constantFrom(0, 2),
      async (value, indent) => {
        const text = JSON.stringify(value, null, indent)
        const parsed: Record<string, unknown> = JSON.parse(text)
        assert.deepEqual(await read(text), expected(parsed))
      },
    ),
    { seed, numRuns: 200 },
  )
})

test("what JSON.parse refuses is refused", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.dictionary(fc.string(), fc.array(fc.jsonValue({ maxDepth: 2 }))),
      fc.nat(),
      fc.constantFrom("", '"', "{", "}", "[", "]", ",", ":", "x", "\\"),
      async (value, at, inserted) => {
        const text = JSON.stringify(value)
        const place = at % (text.length + 1)
        const damaged = text.slice(0, place) + inserted + text.slice(place + 1)
        let isJson = true
        try {
          const parsed: unknown = JSON.parse(damaged)
          isJson = typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)
        } catch {
          isJson = false // That is what is asked.
        }
        if (isJson) await read(damaged)
        else await assert.rejects(read(damaged), HttpError)
      },
    ),
    { seed, numRuns: 300 },
  )
})
