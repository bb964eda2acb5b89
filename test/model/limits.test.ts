/** A whole broker under clients that ask for too much, read too little, or break the rules of closing. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { encodePublish } from "../../src/amqp/content.ts"
import { OUTBOX_HARD_BYTES } from "../../src/session/outbox.ts"
import { methodFrame } from "../support/wire-frames.ts"
import { World, type Client, type Received } from "./world.ts"

async function withWorld(body: (world: World) => Promise<void>): Promise<void> {
  const world = new World()
  try {
    await world.start()
    await body(world)
  } finally {
    await world.stop()
  }
}

/** A client with channels 1 and 2, and these transient queues. */
async function connect(world: World, ...queues: readonly string[]): Promise<Client> {
  const client = world.connect()
  for (const channel of [1, 2]) client.send("channel.open", channel)
  for (const queue of queues) client.send("queue.declare", 1, { queue })
  await receive(world)
  return client
}

async function receive(world: World): Promise<Received[]> {
  const all: Received[] = []
  await world.advance((_, received) => all.push(received))
  return all
}

function namesOf(list: readonly Received[]): string[] {
  return list.map(({ name, args: { replyCode } }) =>
    typeof replyCode === "number" ? `${name} ${replyCode}` : name,
  )
}

function countsOf(world: World, queue: string): readonly [ready: number, unacked: number] {
  const { readyCount, unackedCount } = world.running.broker.vhosts.get("/")!.queues.get(queue)!
  return [readyCount, unackedCount]
}

test("a flood of basic.get is answered only as fast as the client reads", () =>
  withWorld(async (world) => {
    const client = await connect(world, "big")
    const body = Buffer.alloc(1 << 20)
    for (let i = 0; i < 100; i++) client.sendBytes(encodePublish(1, { routingKey: "big", body }))
    await receive(world)
    const get = methodFrame("basic.get", 1, { queue: "big", noAck: true })
    client.sendBytes(Buffer.concat(Array<Buffer>(100).fill(get)), methodFrame("basic.qos", 2))
    const { pendingBytes } = client.connection.outbox
    assert.ok(pendingBytes < OUTBOX_HARD_BYTES + 2 * body.length, `${pendingBytes} bytes buffered`)
    const names = namesOf(await receive(world))
    assert.deepEqual(names, [...Array<string>(100).fill("basic.get-ok"), "basic.qos-ok"])
  }))

for (const channel of [1, 2])
  test(`a full queue leaves room for another on the same connection (channel ${channel})`, () =>
    withWorld(async (world) => {
      const publisher = await connect(world, "full", "other")
      const one = encodePublish(1, { routingKey: "full", body: Buffer.alloc(16) })
      const many = Buffer.concat(Array<Buffer>(1000).fill(one))
      for (let i = 0; i < 50; i++) publisher.sendBytes(many)
      publisher.sendBytes(encodePublish(1, { routingKey: "other", body: Buffer.from("other") }))
      const client = await connect(world)
      client.send("basic.consume", 1, { queue: "full", noAck: true, nowait: true })
      client.send("basic.consume", channel, { queue: "other", noAck: true, nowait: true })
      const received = await receive(world)
      assert.equal(received.length, 50_001)
      const at = received.findIndex(({ args }) => args["routingKey"] === "other")
      assert.ok(at < 20_000, `after ${at} messages`)
    }))

test("what follows channel.close is ignored, also while its answer waits for the disk", () =>
  withWorld(async (world) => {
    const client = await connect(world, "q")
    client.sendBytes(encodePublish(1, { routingKey: "q", body: Buffer.from("kept") }))
    client.send("queue.declare", 1, { queue: "durable", durable: true })
    client.send("channel.close", 1)
    client.send("basic.get", 1, { queue: "q" })
    client.send("basic.consume", 1, { queue: "q" })
    client.sendBytes(encodePublish(1, { routingKey: "q", body: Buffer.from("ignored") }))
    client.send("channel.close-ok", 1)
    assert.deepEqual(namesOf(await receive(world)), [])
    await world.finishSyncs()
    assert.deepEqual(namesOf(await receive(world)), ["queue.declare-ok", "channel.close-ok"])
    assert.deepEqual(countsOf(world, "q"), [1, 0])
    client.send("channel.open", 1)
    assert.deepEqual(namesOf(await receive(world)), ["channel.open-ok"])
  }))

test("publishing on a channel that was closed ends the connection: it would be lost in silence", () =>
  withWorld(async (world) => {
    const client = await connect(world, "q")
    client.send("channel.close", 1)
    client.sendBytes(encodePublish(1, { routingKey: "q", body: Buffer.from("lost") }))
    assert.deepEqual(namesOf(await receive(world)), ["channel.close-ok", "connection.close 504"])
  }))

test("a long chain of auto-delete exchanges goes as a whole", () =>
  withWorld(async (world) => {
    const client = await connect(world, "end")
    const { exchanges } = world.running.broker.vhosts.get("/")!
    const before = exchanges.size
    const length = 20_000
    const flags = { type: "fanout", autoDelete: true, nowait: true }
    for (let i = 0; i < length; i++)
      client.send("exchange.declare", 1, { exchange: `e${i}`, ...flags })
    for (let i = 1; i < length; i++)
      client.send("exchange.bind", 1, { source: `e${i - 1}`, destination: `e${i}`, nowait: true })
    client.send("queue.bind", 1, { queue: "end", exchange: `e${length - 1}`, nowait: true })
    client.send("queue.delete", 1, { queue: "end" })
    assert.deepEqual(namesOf(await receive(world)), ["queue.delete-ok"])
    assert.equal(exchanges.size, before)
  }))
