/**
 * Publishes from the bytes of the socket to the queues: the same whatever pieces the bytes come in.
 * What is expected is worked out from the frames, not by the code under test.
 */
import assert from "node:assert/strict"
import { test } from "node:test"
import * as fc from "fast-check"
import { writeContentHeaderFrame, writeFrame } from "../../../src/amqp/frames.ts"
import { methodFrame } from "../../support/wire-frames.ts"
import { Harness, type Recorded } from "./session-harness.ts"
import { RUNS } from "./support.ts"

const FRAME_MAX = 4096
const NO_PROPERTIES = Buffer.from([0, 0])
const PERSISTENT = Buffer.from([0x10, 0, 2])
const TRANSIENT = Buffer.from([0x10, 0, 1])
/** Content type, delivery mode and message id. */
const MANY = Buffer.from([0x90, 0x80, 1, 0x61, 2, 3, 0x78, 0x79, 0x7a])

/** No queue has this name. */
const NOWHERE = "nowhere"

interface Publish {
  readonly channel: number
  readonly queue: string
  readonly properties: Buffer
  readonly bodySize: number
  /** Sizes of the body frames; what is missing comes in frames of the largest size. */
  readonly pieces: readonly number[]
}

let bodyCount = 0

/** Every body is another one, so that a message with the body of its neighbour shows. */
function bodyOf(size: number): Buffer {
  return Buffer.alloc(size, `<${++bodyCount}>`)
}

interface Encoded {
  readonly frames: readonly Buffer[]
  readonly recorded: Recorded
}

function encode(publish: Publish): Encoded {
  const { channel, queue, properties, bodySize, pieces } = publish
  const body = bodyOf(bodySize)
  const frames = [
    methodFrame("basic.publish", channel, { exchange: "", routingKey: queue }),
    writeContentHeaderFrame(channel, bodySize, properties),
  ]
  let at = 0
  for (const size of pieces) {
    if (at === bodySize) break
    frames.push(writeFrame(3, channel, body.subarray(at, at + size)))
    at = Math.min(bodySize, at + size)
  }
  for (; at < bodySize; at += FRAME_MAX - 8)
    frames.push(writeFrame(3, channel, body.subarray(at, at + FRAME_MAX - 8)))
  return {
    frames,
    recorded: {
      queue,
      route: `\0${String.fromCharCode(queue.length)}${queue}`,
      properties: properties.toString("hex"),
      body: body.toString("latin1"),
      persistent: properties === PERSISTENT || properties === MANY,
    },
  }
}

/** The frames of two channels, each in its own order; a message is complete with its last frame. */
function interleave(
  publishes: readonly Publish[],
  order: readonly boolean[],
): { readonly bytes: Buffer; readonly expected: Recorded[] } {
  const waiting: Encoded[][] = [[], []]
  for (const publish of publishes) waiting[publish.channel - 1]!.push(encode(publish))
  const steps = waiting.map((list) =>
    list.flatMap(({ frames, recorded }) =>
      frames.map((frame, i) => ({ frame, done: i === frames.length - 1 ? recorded : null })),
    ),
  )
  const bytes: Buffer[] = []
  const expected: Recorded[] = []
  for (let i = 0; steps[0]!.length + steps[1]!.length > 0; i++) {
    const wanted = order[i % Math.max(1, order.length)] === true ? 1 : 0
    const step = steps[wanted]!.shift() ?? steps[1 - wanted]!.shift()!
    bytes.push(step.frame)
    if (step.done !== null && step.done.queue !== NOWHERE) expected.push(step.done)
  }
  return { bytes: Buffer.concat(bytes), expected }
}

async function openHarness(): Promise<Harness> {
  const harness = await Harness.open({ frameMax: FRAME_MAX })
  for (const name of ["q", "r", "queue-with-a-longer-name"]) harness.declare(name)
  return harness
}

/** Sends the bytes cut at these offsets and compares what the queues got. */
function check(
  harness: Harness,
  bytes: Buffer,
  cuts: readonly number[],
  expected: readonly Recorded[],
): void {
  let from = 0
  for (const to of [...cuts, bytes.length]) {
    if (to > from) harness.receive(bytes.subarray(from, to))
    from = to
  }
  harness.endTurn()
  assert.deepEqual(harness.takeRecorded(), expected, `cut at ${cuts.join()}`)
  assert.ok(harness.connection.isRunning)
}

function simple(queue: string, bodySize: number, channel = 1, properties = NO_PROPERTIES): Publish {
  return { channel, queue, properties, bodySize, pieces: [] }
}

/** What publishers do: repeat themselves, alternate keys, change sizes, send nothing, send much. */
const SCENARIOS: Readonly<Record<string, readonly Publish[]>> = {
  "the same publish again and again": Array.from({ length: 6 }, () => simple("q", 16)),
  "alternating keys": Array.from({ length: 40 }, (_, i) => simple(i % 2 === 0 ? "q" : "r", 5)),
  "sizes that change": Array.from({ length: 40 }, (_, i) => simple("q", i % 5)),
  "properties that change": [NO_PROPERTIES, PERSISTENT, TRANSIENT, MANY, PERSISTENT, MANY].flatMap(
    (properties) => [simple("q", 9, 1, properties), simple("q", 9, 1, properties)],
  ),
  "empty bodies": Array.from({ length: 5 }, () => simple("queue-with-a-longer-name", 0)),
  "bodies in pieces": [
    { ...simple("q", 10), pieces: [3, 7] },
    { ...simple("q", 10), pieces: [0, 10] },
    { ...simple("q", 10), pieces: [4, 0, 5, 1] },
    simple("q", 10),
  ],
  "an unroutable one between": [simple("q", 3), simple(NOWHERE, 3), simple("q", 3)],
}

for (const [name, publishes] of Object.entries(SCENARIOS))
  test(`${name}: the stream may be cut at every byte`, async () => {
    const harness = await openHarness()
    const { bytes, expected } = interleave(publishes, [])
    check(harness, bytes, [], expected)
    for (let at = 1; at < bytes.length; at++) check(harness, bytes, [at], expected)
  })

test("a stream may come byte by byte", async () => {
  const harness = await openHarness()
  const publishes = Object.values(SCENARIOS).flat()
  const { bytes, expected } = interleave(publishes, [])
  const cuts = Array.from({ length: bytes.length - 1 }, (_, i) => i + 1)
  check(harness, bytes, cuts, expected)
  check(harness, bytes, [], expected)
})

test("two channels in turn, frame by frame: the stream may be cut at every byte", async () => {
  const harness = await openHarness()
  const publishes = [1, 2, 1, 2, 1, 2].map((channel): Publish => ({
    channel,
    queue: "q",
    properties: NO_PROPERTIES,
    bodySize: 20,
    pieces: [7, 13],
  }))
  const { bytes, expected } = interleave(publishes, [false, true])
  for (let at = 1; at < bytes.length; at++) check(harness, bytes, [at], expected)
})

const publishArbitrary: fc.Arbitrary<Publish> = fc.record({
  channel: fc.constantFrom(1, 1, 2),
  queue: fc.constantFrom("q", "q", "q", "r", "queue-with-a-longer-name"),
  properties: fc.constantFrom(NO_PROPERTIES, NO_PROPERTIES, PERSISTENT, TRANSIENT, MANY),
  bodySize: fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom(0, 16) },
    { weight: 3, arbitrary: fc.integer({ min: 1, max: 300 }) },
    { weight: 1, arbitrary: fc.integer({ min: FRAME_MAX - 12, max: FRAME_MAX + 12 }) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 20_000 }) },
    { weight: 1, arbitrary: fc.integer({ min: 60_000, max: 200_000 }) },
  ),
  pieces: fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.array(fc.integer({ min: 0, max: 200 }), { maxLength: 6 }) },
  ),
})

test("any mixture of publishes in any pieces gives the same messages", async () => {
  const harness = await openHarness()
  fc.assert(
    fc.property(
      fc.array(publishArbitrary, { minLength: 1, maxLength: 25 }),
      fc.array(fc.boolean(), { maxLength: 20 }),
      fc.array(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), { maxLength: 12 }),
      (publishes, order, fractions) => {
        const { bytes, expected } = interleave(publishes, order)
        const cuts = fractions
          .map((fraction) => Math.floor(fraction * bytes.length))
          .toSorted((left, right) => left - right)
        check(harness, bytes, cuts, expected)
      },
    ),
    { ...RUNS, numRuns: 150 },
  )
})

test("a changed topology is seen by the next publish, also by one that repeats the last", async () => {
  const harness = await openHarness()
  const send = (): string[] => {
    for (let i = 0; i < 20; i++) harness.receive(...encode(simple("new", 8)).frames)
    return harness.takeRecorded().map(({ queue }) => queue)
  }
  for (let i = 0; i < 3; i++) {
    assert.deepEqual(send(), [])
    const added = harness.declare("new")
    assert.deepEqual(send(), Array(20).fill("new"))
    harness.vhost.deleteQueue(added)
  }
})

test("a refused publish closes its channel only, wherever the stream is cut", async () => {
  const good = (): Encoded => encode({ ...simple("q", 12, 2) })
  const before = good()
  const after = good()
  const refused = methodFrame("basic.publish", 1, { exchange: "no such", routingKey: "q" })
  const bytes = Buffer.concat([
    ...before.frames,
    refused,
    writeContentHeaderFrame(1, 5, NO_PROPERTIES),
    writeFrame(3, 1, Buffer.from("12345")),
    ...encode(simple("q", 7)).frames, // Under way on the channel when it was closed.
    ...after.frames,
  ])
  const harness = await openHarness()
  for (let at = 1; at < bytes.length; at++) {
    check(harness, bytes, [at], [before.recorded, after.recorded])
    assert.deepEqual(harness.methods(), ["1 channel.close 404"])
    harness.receive(methodFrame("channel.close-ok", 1), methodFrame("channel.open", 1))
    harness.endTurn()
    assert.deepEqual(harness.methods(), ["1 channel.open-ok"])
  }
})

test("a body that is too large is refused at its header, and its frames are swallowed", async () => {
  const harness = await Harness.open({ frameMax: FRAME_MAX, maxMessageSize: 1000 })
  harness.declare("q")
  const atLimit = encode(simple("q", 1000))
  const tooLarge = encode(simple("q", 1001))
  const other = encode(simple("q", 3, 2))
  harness.receive(...atLimit.frames, ...tooLarge.frames, ...other.frames)
  assert.deepEqual(harness.takeRecorded(), [atLimit.recorded, other.recorded])
  harness.endTurn()
  assert.deepEqual(harness.methods(), ["1 channel.close 406"])
})

const ERRORS: Readonly<Record<string, readonly [number, () => Buffer[]]>> = {
  "a body without a header": [505, () => [writeFrame(3, 1, Buffer.from("x"))]],
  "a header without a method": [505, () => [writeContentHeaderFrame(1, 1, NO_PROPERTIES)]],
  "a body that follows the method": [
    505,
    () => [encode(simple("q", 1)).frames[0]!, writeFrame(3, 1, Buffer.from("x"))],
  ],
  "a method between header and body": [
    505,
    () => [...encode(simple("q", 1)).frames.slice(0, 2), methodFrame("basic.qos", 1)],
  ],
  "a second header": [
    505,
    () => [
      ...encode(simple("q", 1)).frames.slice(0, 2),
      writeContentHeaderFrame(1, 1, NO_PROPERTIES),
    ],
  ],
  "more body than announced": [
    501,
    () => [...encode(simple("q", 1)).frames.slice(0, 2), writeFrame(3, 1, Buffer.from("xy"))],
  ],
  "a header of another class": [
    505,
    () => {
      const header = writeContentHeaderFrame(1, 1, NO_PROPERTIES)
      header.writeUInt16BE(50, 7)
      return [encode(simple("q", 1)).frames[0]!, header]
    },
  ],
  "the bit immediate": [
    540,
    () => [methodFrame("basic.publish", 1, { routingKey: "q", immediate: true })],
  ],
  "a wrong frame end": [
    501,
    () => {
      const frames = encode(simple("q", 4)).frames.map((frame) => Buffer.from(frame))
      frames[2]![frames[2]!.length - 1] = 0xcd
      return frames
    },
  ],
}

for (const [name, [code, frames]] of Object.entries(ERRORS))
  test(`${name} closes the connection with ${code}, wherever the stream is cut`, async () => {
    const first = encode(simple("q", 6))
    const bytes = Buffer.concat([...first.frames, ...frames()])
    for (let at = 1; at < bytes.length; at += 3) {
      const harness = await openHarness()
      harness.receive(bytes.subarray(0, at))
      harness.receive(bytes.subarray(at))
      harness.endTurn()
      assert.deepEqual(harness.takeRecorded(), [first.recorded])
      assert.deepEqual(harness.methods(), [`0 connection.close ${code}`])
    }
  })
