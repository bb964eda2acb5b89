import assert from "node:assert/strict"
import { test } from "node:test"
import {
  Timestamp,
  TypedNumber,
  tableFromPlain,
  type FieldValue,
} from "../../../../src/amqp/table.ts"
import type { ConsumerRequest } from "../../../../src/broker/consumer.ts"
import { Refusal } from "../../../../src/broker/errors.ts"
import { checkStreamConsumer } from "../../../../src/broker/stream/consumer-arguments.ts"
import { parseStartPosition } from "../../../../src/broker/stream/start-position.ts"

const SUBJECT = "queue 'q' in vhost '/'"
const NOW_MS = 1_700_000_000_000

function request(fields: Partial<ConsumerRequest>): ConsumerRequest {
  return {
    tag: "t",
    noAck: false,
    exclusive: false,
    arguments: tableFromPlain({}),
    prefetchCount: 10,
    globalPrefetch: 0,
    ...fields,
  }
}

/** Kind and text of the refusal. */
function refusalOf(fields: Partial<ConsumerRequest>): string {
  try {
    checkStreamConsumer(SUBJECT, request(fields), NOW_MS)
  } catch (error) {
    if (error instanceof Refusal) return `${error.kind}: ${error.message}`
    throw error
  }
  return "none"
}

test("preconditions of a consumer", () => {
  assert.equal(refusalOf({ exclusive: true }), "none")
  assert.equal(
    refusalOf({ noAck: true, prefetchCount: 0 }),
    `not-implemented: automatic acknowledgement not supported by stream ${SUBJECT}`,
  )
  assert.equal(
    refusalOf({ noAck: true, arguments: tableFromPlain({ "x-stream-offset": "bogus" }) }),
    `not-implemented: automatic acknowledgement not supported by stream ${SUBJECT}`,
  )
  assert.equal(
    refusalOf({ prefetchCount: 0 }),
    `precondition-failed: consumer prefetch count is not set for stream ${SUBJECT}`,
  )
  assert.equal(
    refusalOf({ prefetchCount: 0, globalPrefetch: 10 }),
    `not-implemented: ${SUBJECT} does not support global qos`,
  )
  assert.equal(
    refusalOf({ arguments: tableFromPlain({ "x-priority": 1 }) }),
    `precondition-failed: invalid arg 'x-priority' for ${SUBJECT} of queue type rabbit_stream_queue`,
  )
})

test("arguments of the wrong type", () => {
  const cases: readonly (readonly [
    string,
    Parameters<typeof tableFromPlain>[0][string],
    string,
  ])[] = [
    ["x-stream-offset", "soon", '{invalid_stream_offset_arg,{longstr,<<"soon">>}}'],
    ["x-stream-offset", true, "{invalid_stream_offset_arg,{bool,true}}"],
    ["x-stream-match-unfiltered", "true", "{unacceptable_type,longstr}"],
    ["x-stream-automatic-offset-tracking", 1, "{unacceptable_type,signedint}"],
    ["x-filter-match-type", "some", `"must be 'any' or 'all'"`],
    ["x-stream-filter", 1, "{unacceptable_type,signedint}"],
    ["x-stream-filter", ["a", 1], "{unacceptable_type,signedint}"],
    ["x-stream-filter", { a: [1] }, "{unacceptable_type,array}"],
    [
      "x-stream-filter",
      { "geo-within-radius": { lat: 91, lon: 0, radius_km: 1 } },
      `"geo-within-radius needs lat, lon and a positive radius_km"`,
    ],
    [
      "x-stream-filter",
      { "geo-bbox": { min_lat: 1 } },
      `"geo-bbox needs min_lat, max_lat, min_lon and max_lon"`,
    ],
    [
      "x-stream-filter",
      {
        "geo-polygon": {
          points: [
            [1, 2],
            [3, 4],
          ],
        },
      },
      `"geo-polygon needs points, at least three pairs of lat and lon"`,
    ],
  ]
  for (const [name, value, reason] of cases)
    assert.equal(
      refusalOf({ arguments: tableFromPlain({ [name]: value }) }),
      `precondition-failed: invalid arg '${name}' for ${SUBJECT}: ${reason}`,
    )
})

function at(value: FieldValue): ReturnType<typeof parseStartPosition> {
  return parseStartPosition(value, NOW_MS)
}

test("every form of x-stream-offset", () => {
  for (const kind of ["first", "last", "next"] as const) assert.deepEqual(at(kind), { kind })
  assert.deepEqual(at(new TypedNumber("I", 7)), { kind: "offset", offset: 7 })
  assert.deepEqual(at(new TypedNumber("l", -7n)), { kind: "offset", offset: -7 })
  assert.deepEqual(at(new Timestamp(1_600_000_000n)), {
    kind: "time",
    timestampMs: 1_600_000_000_000,
  })
  const units = { s: 1, m: 60, h: 3600, D: 86_400, M: 30 * 86_400, Y: 365 * 86_400 }
  for (const [unit, seconds] of Object.entries(units))
    assert.deepEqual(at(`2${unit}`), { kind: "time", timestampMs: NOW_MS - 2000 * seconds })
  for (const wrong of ["0s", "1x", "-1h", "h", "", "First", new TypedNumber("d", 1), null])
    assert.equal(typeof at(wrong), "string")
})
