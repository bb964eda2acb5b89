/** The rows of what counts, against a plain model: whoever comes, counts, falls idle and goes. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { LENGTH, SampleRounds, SeriesTable } from "../../../src/http/series.ts"
import { ManualClock } from "../../../src/util/clock.ts"
import { chooseSeed, createRandom } from "../../support/seed.ts"
import type { Random } from "../../support/seed.ts"

class Thing {
  counted = 0
  level = 0
}

interface Known {
  readonly last: [counted: number, level: number]
  rates: [counted: number, level: number]
  idleRounds: number
}

const METRICS = {
  counters: [["counted", (thing: Thing) => thing.counted]],
  levels: [["level", (thing: Thing) => thing.level]],
} as const

const SECONDS = 5

/** What the table is for, with an object for each. */
class Model {
  readonly known = new Map<Thing, Known>()
  readonly #forgotten = new Map<Thing, [number, number]>()

  round(things: readonly Thing[]): void {
    for (const thing of things) this.#note(thing)
    for (const thing of this.known.keys()) if (!things.includes(thing)) this.known.delete(thing)
  }

  #note(thing: Thing): void {
    const { counted, level } = thing
    const before = this.known.get(thing)?.last ?? this.#forgotten.get(thing) ?? [0, 0]
    const grown = counted - before[0]
    const risen = level - before[1]
    const isChanged = grown !== 0 || risen !== 0
    if (!isChanged && !this.known.has(thing)) return
    const idleRounds = isChanged ? 0 : (this.known.get(thing)?.idleRounds ?? 0) + 1
    const rates: [number, number] = [Math.max(0, grown) / SECONDS, risen / SECONDS]
    this.known.set(thing, { last: [counted, level], rates, idleRounds })
    if (idleRounds > LENGTH) this.#forget(thing)
  }

  #forget(thing: Thing): void {
    this.#forgotten.set(thing, this.known.get(thing)?.last ?? [0, 0])
    this.known.delete(thing)
  }

  clear(): void {
    for (const thing of this.known.keys()) this.#forget(thing)
  }

  rate(thing: Thing, index: 0 | 1): number {
    return Math.round((this.known.get(thing)?.rates[index] ?? 0) * 10) / 10
  }
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const places = items.map((item) => ({ item, place: random.below(1e9) }))
  return places.toSorted((a, b) => a.place - b.place).map(({ item }) => item)
}

test("rates are those of a plain model, in whatever order they are asked for", async () => {
  const random = createRandom(chooseSeed("series"))
  const clock = new ManualClock()
  const rounds = new SampleRounds(clock)
  const table = new SeriesTable<Thing>(rounds, METRICS)
  const model = new Model()
  // Several chunks of rows.
  const things = Array.from({ length: 400 }, () => new Thing())
  for (let round = 0; round < 2.5 * LENGTH; round++) {
    // Busy times and quiet ones, which are long enough to be forgotten.
    const share = round % LENGTH < 20 ? 0.5 : 0.001
    for (const thing of things) {
      if (random.chance(share)) thing.counted += random.below(1000)
      if (random.chance(share)) thing.level = random.below(10)
      if (random.chance(share / 50)) thing.counted = 0
    }
    if (random.chance(0.3)) things.splice(random.below(things.length), 1)
    if (random.chance(0.3)) things.push(new Thing())
    clock.advance(SECONDS * 1000)
    rounds.begin()
    for (const thing of things) table.note(thing)
    await table.end(() => null)
    model.round(things)
    if (random.chance(0.01)) {
      table.clear()
      model.clear()
    }
    assert.equal(table.size, model.known.size)
    const asked = round % 2 === 0 ? things : shuffled(things, random)
    for (const thing of asked)
      for (const index of [0, 1] as const)
        assert.equal(table.rate(thing, index), model.rate(thing, index))
  }
})

test("samples begin with what was there before, and give their place back", async () => {
  const clock = new ManualClock()
  const rounds = new SampleRounds(clock)
  const table = new SeriesTable<Thing>(rounds, METRICS)
  const things = Array.from({ length: 600 }, () => new Thing())
  const sample = async (seen: readonly Thing[]): Promise<void> => {
    clock.advance(SECONDS * 1000)
    rounds.begin()
    for (const thing of seen) table.note(thing)
    await table.end(() => null)
  }
  for (const thing of things) thing.counted = 10
  await sample(things)
  const withSamples = things.filter((thing) => table.ringsOf(thing).length > 0)
  assert.equal(withSamples.length, 500)
  const [ring] = table.ringsOf(withSamples[0]!)
  assert.ok(ring !== undefined)
  assert.deepEqual([ring.valueAt(0, 0), ring.valueAt(1, 0)], [0, 10])
  // Those that are left over get theirs when others go.
  const left = things.slice(300)
  for (const thing of left) thing.counted++
  await sample(left)
  for (const thing of left) thing.counted++
  await sample(left)
  assert.ok(left.every((thing) => table.ringsOf(thing).length === 1))
  assert.equal(rounds.ringCount, left.length)
  await sample([])
  assert.equal(table.size, 0)
  assert.equal(rounds.ringCount, 0)
})
