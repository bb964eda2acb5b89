/**
 * Damaged and random sessions against a broker in this process. Whatever arrives, the broker
 * answers in whole frames, never with 541 (a client must not reach an assertion), lets the
 * connection end, keeps serving others, and leaks nothing. An exception that nobody catches ends the test.
 */
import assert from "node:assert/strict"
import { readdirSync } from "node:fs"
import { createConnection } from "node:net"
import type { Socket } from "node:net"
import { after, before, test } from "node:test"
import { inspect } from "node:util"
import { connect } from "amqplib"
import { startBroker } from "../../src/server/start-broker.ts"
import type { RunningBroker } from "../../src/server/start-broker.ts"
import { eventually, within } from "../support/eventually.ts"
import { chooseSeed, createRandom, timeBoxSeconds } from "../support/seed.ts"
import type { Random } from "../support/seed.ts"
import { mutate, randomFrame } from "./mutate.ts"
import { HANDSHAKE, SESSIONS } from "./sessions.ts"

const PARALLEL = 8
const BATCHES_BETWEEN_CHECKS = 10
const HEAP_GROWTH_MAX_BYTES = 24 * 2 ** 20
const METHOD = 1
const CONNECTION_CLOSE = 0x000a0032
const BASIC_ACK = "3c0050"
const BASIC_DELIVER = "3c003c"
const INTERNAL_ERROR = 541
const PROTOCOL_HEADER_START = "AMQP"

const seed = chooseSeed("fuzz")
let broker: RunningBroker

before(async () => {
  broker = await startBroker({ amqp: { host: "127.0.0.1", port: 0 }, logLevel: "none" })
})
after(() => broker.close())

/** Sends the pieces as separate chunks and returns all that came back until the end. */
async function play(pieces: readonly Buffer[], isSlow = false): Promise<Buffer> {
  const socket = createConnection({ host: "127.0.0.1", port: broker.amqpPort, noDelay: true })
  const received: Buffer[] = []
  const ended = new Promise<void>((resolve) => {
    socket.on("data", (chunk: Buffer) => received.push(chunk))
    socket.on("error", () => {}) // The broker may reset; "close" follows.
    socket.on("close", () => resolve())
  })
  for (const piece of pieces) {
    if (!socket.writable) break
    socket.write(piece)
    if (isSlow) await nextTurn()
  }
  await endGently(socket)
  await within(ended, "the end of a connection", 20_000)
  return Buffer.concat(received)
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

/** Half-closes, so that answers still arrive. */
async function endGently(socket: Socket): Promise<void> {
  await nextTurn()
  socket.end()
}

/** Cuts the bytes anew, so that borders of chunks and frames do not agree. */
function recut(pieces: readonly Buffer[], random: Random): Buffer[] {
  const all = Buffer.concat(pieces)
  const chunks: Buffer[] = []
  for (let start = 0; start < all.length;) {
    const end = start + 1 + random.below(random.pick([3, 20, 200, 5000]))
    chunks.push(all.subarray(start, end))
    start = end
  }
  return chunks
}

interface ReceivedFrame {
  readonly type: number
  readonly channel: number
  readonly payload: Buffer
}

/** Walks what the broker sent; fails if it is not whole frames. */
function readFrames(bytes: Buffer): ReceivedFrame[] {
  const frames: ReceivedFrame[] = []
  let start = 0
  while (start < bytes.length) {
    // The answer to a wrong protocol header is a protocol header.
    if (bytes.toString("latin1", start, start + 4) === PROTOCOL_HEADER_START) {
      start += 8
      continue
    }
    const size = bytes.readUInt32BE(start + 3)
    const end = start + size + 8
    assert.ok(end <= bytes.length, "the broker sent half a frame")
    assert.equal(bytes[end - 1], 0xce, "the broker sent a frame without its end")
    const payload = bytes.subarray(start + 7, end - 1)
    frames.push({ type: bytes[start]!, channel: bytes.readUInt16BE(start + 1), payload })
    start = end
  }
  return frames
}

/** How often a connection was closed with which code: shows how deep the cases reach. */
const closeCodes = new Map<number, number>()

function checkAnswer(bytes: Buffer, pieces: readonly Buffer[]): void {
  const sent = (): string => Buffer.concat(pieces).toString("hex")
  for (const { type, payload } of readFrames(bytes)) {
    if (type !== METHOD || payload.readUInt32BE() !== CONNECTION_CLOSE) continue
    const code = payload.readUInt16BE(4)
    const text = payload.toString("utf8", 7, 7 + payload[6]!)
    closeCodes.set(code, (closeCodes.get(code) ?? 0) + 1)
    assert.notEqual(code, INTERNAL_ERROR, `${text}, after ${sent()}`)
    assert.ok(code >= 320 && code <= 541, `${String(code)} ${text}, after ${sent()}`)
  }
}

async function checkHealth(): Promise<void> {
  const connection = await within(
    connect(`amqp://127.0.0.1:${String(broker.amqpPort)}`),
    "a healthy client connecting",
  )
  const channel = await connection.createConfirmChannel()
  const { queue } = await channel.assertQueue("", { exclusive: true })
  channel.sendToQueue(queue, Buffer.from("still here"))
  await within(channel.waitForConfirms(), "a healthy client's confirm")
  const message = await channel.get(queue, { noAck: true })
  assert.ok(message)
  assert.equal(message.content.toString(), "still here")
  await connection.close()
}

function openFileCount(): number {
  return readdirSync("/proc/self/fd").length
}

async function heapUsed(): Promise<number> {
  await nextTurn()
  globalThis.gc?.()
  return process.memoryUsage().heapUsed
}

function makeCase(random: Random): Buffer[] {
  const session = random.pick(SESSIONS)
  const kind = random.below(10)
  if (kind < 5) return [...HANDSHAKE, ...mutate(session, random)]
  if (kind < 7) return mutate([...HANDSHAKE, ...session], random)
  if (kind < 9) {
    const frames = Array.from({ length: 1 + random.below(10) }, () => randomFrame(random))
    return [...HANDSHAKE, ...session.slice(0, random.below(session.length)), ...frames]
  }
  return [random.bytes(random.below(300))]
}

test("replies do not depend on where the bytes are cut", async () => {
  const random = createRandom(seed)
  for (const [index, session] of SESSIONS.entries()) {
    const script = [...HANDSHAKE, ...session]
    const whole = readFrames(await play(script))
    for (const pieces of [
      Array.from(Buffer.concat(script), (byte) => Buffer.from([byte])),
      recut(script, random),
      recut(script, random),
      [Buffer.concat(script)],
    ]) {
      const cut = readFrames(await play(pieces, true))
      assert.deepEqual(describeReplies(cut), describeReplies(whole), `session ${String(index)}`)
    }
  }
})

/**
 * Channel and method of the replies in their order. How many confirms and deliveries there are
 * before the channel closes depends on the turns of the event loop, so they do not count.
 */
function describeReplies(frames: readonly ReceivedFrame[]): string[] {
  return frames
    .filter(({ type }) => type === METHOD)
    .map(({ channel, payload }) => `${String(channel)} ${payload.readUInt32BE().toString(16)}`)
    .filter((reply) => !reply.endsWith(BASIC_ACK) && !reply.endsWith(BASIC_DELIVER))
}

test("nothing that a client sends disturbs the broker", async () => {
  const random = createRandom(seed)
  const endMs = performance.now() + timeBoxSeconds(6, 60) * 1000
  await checkHealth()
  let cases = 0
  let filesBefore = 0
  let heapBefore = 0
  for (let batch = 0; performance.now() < endMs || batch < 3 * BATCHES_BETWEEN_CHECKS; batch++) {
    const all = Array.from({ length: PARALLEL }, () => {
      const pieces = makeCase(random)
      return random.chance(0.3) ? recut(pieces, random) : pieces
    })
    const slow = random.chance(0.3)
    const answers = await Promise.all(all.map((pieces) => play(pieces, slow)))
    for (const [index, answer] of answers.entries()) checkAnswer(answer, all[index]!)
    cases += PARALLEL
    if (batch % BATCHES_BETWEEN_CHECKS === 0) await checkHealth()
    // Caches are warm and code is compiled after the first batches.
    if (batch === 2 * BATCHES_BETWEEN_CHECKS) {
      filesBefore = openFileCount()
      heapBefore = await heapUsed()
    }
  }
  await checkHealth()
  console.log(`fuzz: ${String(cases)} sessions, closed with ${inspect(closeCodes)}`)
  await eventually(() => assert.ok(openFileCount() <= filesBefore, "sockets or files stay open"))
  const { admission, vhosts } = broker.broker
  await eventually(() => {
    assert.equal(admission.connectionCount, 0, "connections that are gone still count")
    assert.equal(admission.channelsOfUser("guest"), 0, "channels that are gone still count")
    assert.equal(vhosts.get("/")?.replies.size, 0, "requesters that are gone are still known")
  })
  const growth = (await heapUsed()) - heapBefore
  assert.ok(growth < HEAP_GROWTH_MAX_BYTES, `the heap grew by ${String(growth)} bytes`)
})
