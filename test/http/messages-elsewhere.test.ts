/** Unacked messages over all queues, delayed ones at an exchange, streams from a time on, and purging a few. */
import assert from "node:assert/strict"
import { after, before, test } from "node:test"
import { connect } from "amqplib"
import type { Channel, ChannelModel } from "amqplib"
import { startBroker } from "../../src/server/start-broker.ts"
import type { RunningBroker } from "../../src/server/start-broker.ts"
import { eventually } from "../support/eventually.ts"

let running: RunningBroker
let client: ChannelModel
let channel: Channel
let origin = ""

before(async () => {
  running = await startBroker({ amqp: { port: 0 }, http: { port: 0 } })
  origin = `http://127.0.0.1:${String(running.http?.port)}/api/`
  client = await connect(`amqp://127.0.0.1:${String(running.amqpPort)}`)
  channel = await client.createChannel()
  await running.administration.putUser("other", { password: "other", tags: ["management"] })
})

after(async () => {
  await client.close()
  await running.close()
})

type Row = Readonly<Record<string, unknown>>

/** As far as the tests read it. */
interface QueueAnswer {
  readonly stream: Row
  readonly delivery: Row
}

async function queue(name: string): Promise<QueueAnswer> {
  const answer = await request("GET", `queues/%2F/${name}`)
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- One queue.
  return (await answer.json()) as QueueAnswer
}

async function request(
  method: string,
  path: string,
  body?: unknown,
  user = "guest",
): Promise<Response> {
  const authorization = `Basic ${Buffer.from(`${user}:${user}`).toString("base64")}`
  return fetch(origin + path, {
    method,
    headers: { authorization, "content-type": "application/json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
}

async function rows(path: string, user = "guest"): Promise<readonly Row[]> {
  const answer = await request("GET", path, undefined, user)
  assert.equal(answer.status, 200)
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- A list of rows.
  return (await answer.json()) as readonly Row[]
}

test("who holds unacked messages, of which queue and since when", async () => {
  await channel.assertQueue("held")
  await channel.prefetch(2)
  await channel.consume("held", () => {}, { consumerTag: "keeper" })
  for (let i = 0; i < 5; i++) channel.sendToQueue("held", Buffer.from("x"))
  await eventually(async () => {
    const [row] = await rows("unacked")
    assert.deepEqual(
      [
        row?.["name"],
        row?.["consumer_tag"],
        row?.["unacked"],
        row?.["prefetch_count"],
        row?.["user"],
      ],
      ["held", "keeper", 2, 2, "guest"],
    )
    assert.equal(typeof row?.["unacked_since_ms"], "number")
  })
  assert.equal((await rows("unacked/%2F")).length, 1)
  assert.equal((await rows("unacked?name=other")).length, 0)
  assert.equal((await rows("unacked", "other")).length, 0, "others' connections are not shown")
  assert.equal((await request("GET", "unacked/nowhere")).status, 404)
  const [one] = await rows("queues/%2F/held/unacked")
  assert.equal(typeof one?.["unacked_since_ms"], "number")
  assert.equal(typeof one?.["unacked_for_seconds"], "number")
  await channel.cancel("keeper")
})

test("what waits at a delayed exchange is shown by due time", async () => {
  const options = { arguments: { "x-delayed-type": "direct" } }
  await channel.assertExchange("later", "x-delayed-message", options)
  for (const delay of [7_200_000, 3_600_000])
    channel.publish("later", "key", Buffer.from(String(delay)), { headers: { "x-delay": delay } })
  await eventually(async () => {
    const found = await rows("exchanges/%2F/later/messages")
    assert.deepEqual(
      found.map((row) => [row["payload"], row["state"], row["index"]]),
      [
        ["3600000", "delayed", 0],
        ["7200000", "delayed", 1],
      ],
    )
  })
  assert.equal((await rows("exchanges/%2F/later/messages?offset=1&count=5")).length, 1)
  assert.deepEqual(await rows("exchanges/%2F/amq.topic/messages"), [])
  assert.equal(
    (await request("GET", "exchanges/%2F/later/messages", undefined, "other")).status,
    401,
  )
})

test("the first messages of a queue are purged, and no more", async () => {
  await channel.assertQueue("long")
  for (let i = 0; i < 2000; i++) channel.sendToQueue("long", Buffer.from(String(i)))
  await eventually(async () => {
    const [last] = await rows("queues/%2F/long/messages?offset=1999")
    assert.equal(last?.["payload"], "1999")
  })
  assert.equal((await request("DELETE", "queues/%2F/long/contents?count=1200")).status, 204)
  const [first] = await rows("queues/%2F/long/messages")
  assert.equal(first?.["payload"], "1200")
  assert.equal((await channel.checkQueue("long")).messageCount, 800)
  for (const count of ["0", "-1", "x"])
    assert.equal((await request("DELETE", `queues/%2F/long/contents?count=${count}`)).status, 400)
  assert.equal((await request("DELETE", "queues/%2F/long/contents?count=5000")).status, 204)
  assert.equal((await channel.checkQueue("long")).messageCount, 0)
})

test("a stream tells its offsets, its readers and how far behind they are, and is read from a time on", async () => {
  const args = { "x-queue-type": "stream" }
  await channel.assertQueue("log", { durable: true, arguments: args })
  const readers = await client.createChannel()
  await readers.prefetch(3)
  await readers.consume("log", () => {}, {
    consumerTag: "slow",
    arguments: { "x-stream-offset": "first" },
  })
  for (let i = 0; i < 10; i++) channel.sendToQueue("log", Buffer.from(String(i)))
  await eventually(async () => {
    const { stream, delivery } = await queue("log")
    assert.deepEqual(
      [stream["first_offset"], stream["next_offset"], stream["segments"]],
      [0, 10, 1],
    )
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- A list of rows.
    const [reader] = stream["readers"] as readonly Row[]
    assert.deepEqual(
      [reader?.["consumer_tag"], reader?.["offset"], reader?.["lag"]],
      ["slow", 3, 7],
    )
    assert.equal(delivery["code"], "prefetch")
  })
  const early = await request("POST", "queues/%2F/log/stream", { timestamp_ms: 1, count: 100 })
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- A list of rows.
  assert.equal(((await early.json()) as readonly Row[]).length, 10)
  const after2100 = await request("POST", "queues/%2F/log/stream", {
    timestamp_ms: 4_102_444_800_000,
  })
  assert.deepEqual(await after2100.json(), [])
  const presets: readonly Row[] = await rows("queues?preset=streams")
  assert.deepEqual(
    presets.map((row) => row["name"]),
    ["log"],
  )
})

const code = async (): Promise<unknown> => (await queue("why")).delivery["code"]

test("why a queue does not deliver has a code for programs", async () => {
  await channel.assertQueue("why")
  assert.equal(await code(), "empty")
  channel.sendToQueue("why", Buffer.from("x"))
  await eventually(async () => assert.equal(await code(), "no-consumer"))
  await request("PUT", "queues/%2F/why/pause")
  assert.equal(await code(), "paused")
})
