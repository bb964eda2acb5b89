import assert from "node:assert/strict"
import { test } from "node:test"
import type { PlainRecord } from "../../../../src/amqp/table.ts"
import { StreamWorld } from "./support.ts"

/** The bodies that a consumer with these arguments gets. */
function selected(
  args: PlainRecord,
  messages: Readonly<Record<string, PlainRecord | null>>,
): string {
  const world = new StreamWorld()
  for (const [body, headers] of Object.entries(messages)) world.publish(body, headers)
  const consumer = world.consume("c", { ...args, "x-stream-offset": "first" })
  world.turns()
  return consumer.got.map(({ body }) => body).join("")
}

const VALUES = {
  a: { "x-stream-filter-value": "red" },
  b: { "x-stream-filter-value": "green" },
  c: { "x-stream-filter-value": "red,green" },
  d: { other: "red" },
  e: null,
  f: { "x-stream-filter-value": "redd" },
  g: { "x-stream-filter-value": 7 },
} as const

test("values of the header, one or several on either side", () => {
  assert.equal(selected({ "x-stream-filter": "red" }, VALUES), "ac")
  assert.equal(selected({ "x-stream-filter": "red,green" }, VALUES), "abc")
  assert.equal(selected({ "x-stream-filter": ["green", "redd"] }, VALUES), "bcf")
  assert.equal(selected({ "x-stream-filter": "none" }, VALUES), "")
  assert.equal(selected({ "x-stream-filter": "" }, VALUES), "abcdefg")
})

test("messages without a value only if they are asked for", () => {
  const unfiltered = { "x-stream-match-unfiltered": true }
  assert.equal(selected({ "x-stream-filter": "red", ...unfiltered }, VALUES), "acdeg")
  assert.equal(selected(unfiltered, VALUES), "abcdefg")
})

test("all or any of the conditions", () => {
  const both = { "x-stream-filter": "red,green" }
  assert.equal(selected({ ...both, "x-filter-match-type": "all" }, VALUES), "c")
  assert.equal(selected({ ...both, "x-filter-match-type": "any" }, VALUES), "abc")
})

test("headers are compared as text", () => {
  const messages = {
    a: { kind: "x", size: 10 },
    b: { kind: "x", size: 11 },
    c: { kind: "y", size: 10 },
    d: { size: "10" },
    e: { kind: true },
    f: null,
  }
  assert.equal(selected({ "x-stream-filter": { kind: "x" } }, messages), "ab")
  assert.equal(selected({ "x-stream-filter": { size: 10 } }, messages), "acd")
  assert.equal(selected({ "x-stream-filter": { size: "10", kind: "x" } }, messages), "a")
  assert.equal(selected({ "x-stream-filter": [{ kind: "y" }, { size: 10 }] }, messages), "c")
  assert.equal(selected({ "x-stream-filter": { kind: true } }, messages), "e")
  const any = { "x-filter-match-type": "any" }
  assert.equal(selected({ "x-stream-filter": { size: 10, kind: "x" }, ...any }, messages), "abcd")
})

test("values and headers together", () => {
  const messages = {
    a: { "x-stream-filter-value": "red", kind: "x" },
    b: { "x-stream-filter-value": "red", kind: "y" },
    c: { "x-stream-filter-value": "green", kind: "x" },
  }
  assert.equal(selected({ "x-stream-filter": ["red", { kind: "x" }] }, messages), "a")
})

const PLACES = {
  s: { "x-geo-lat": 59.33, "x-geo-lon": 18.07 }, // Stockholm
  u: { "x-geo-lat": 59.86, "x-geo-lon": 17.64 }, // Uppsala, 64 km away
  l: { "x-geo-lat": 51.51, "x-geo-lon": -0.13 }, // London
  f: { "x-geo-lat": -17, "x-geo-lon": 179.5 }, // Fiji
  n: { "x-geo-lat": 59.33 },
  t: { "x-geo-lat": "59.33", "x-geo-lon": 18.07 },
  o: null,
}

function near(km: number): PlainRecord {
  return { "x-stream-filter": { "geo-within-radius": { lat: 59.33, lon: 18.07, radius_km: km } } }
}

function box(minLat: number, maxLat: number, minLon: number, maxLon: number): PlainRecord {
  return {
    "x-stream-filter": {
      "geo-bbox": { min_lat: minLat, max_lat: maxLat, min_lon: minLon, max_lon: maxLon },
    },
  }
}

function polygon(...points: number[][]): PlainRecord {
  return { "x-stream-filter": { "geo-polygon": { points } } }
}

test("places within a distance, a box and a polygon", () => {
  assert.equal(selected(near(10), PLACES), "s")
  assert.equal(selected(near(70), PLACES), "su")
  assert.equal(selected(near(3000), PLACES), "sul")
  assert.equal(selected(box(50, 60, -10, 20), PLACES), "sul")
  assert.equal(selected(box(-20, -10, 179, -179), PLACES), "f")
  assert.equal(selected(polygon([55, 10], [69, 20], [55, 25]), PLACES), "su")
  // A corner and an edge belong to it.
  assert.equal(selected(polygon([59.33, 18.07], [60, 30], [50, 30]), PLACES), "s")
  assert.equal(selected(polygon([50, 18.07], [60, 18.07], [55, 30]), PLACES), "s")
  const either = {
    "x-stream-filter": [near(10)["x-stream-filter"]!, box(50, 52, -1, 1)["x-stream-filter"]!],
  }
  assert.equal(selected(either, PLACES), "")
  assert.equal(selected({ ...either, "x-filter-match-type": "any" }, PLACES), "sl")
})
