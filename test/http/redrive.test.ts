/** Messages that are moved and re-driven as jobs over the management API. */
import assert from "node:assert/strict"
import { AmqpClient } from "../../src/client/client.ts"
import type { ClientChannel } from "../../src/client/channel.ts"
import { startBroker } from "../../src/server/start-broker.ts"
import { test } from "node:test"
import { MemoryDisk } from "../../src/storage/memory-disk.ts"
import { eventually } from "../support/eventually.ts"
import { bodies, drain, publishNumbers } from "../support/shovel-bed.ts"
import { httpTest } from "./support.ts"
import type { HttpTest, Json } from "./support.ts"

async function channelTo(http: HttpTest): Promise<ClientChannel> {
  const uri = `amqp://guest:guest@127.0.0.1:${String(http.running.amqpPort)}`
  const connection = await new AmqpClient().connect(uri)
  return connection.openChannel()
}

function idOf(started: Json): string {
  const id: unknown = started["id"]
  assert.ok(typeof id === "string")
  return id
}

async function finished(http: HttpTest, started: Json): Promise<Json> {
  return eventually(async () => {
    const { body } = await http.expect(200, `GET /api/jobs/${idOf(started)}`)
    assert.notEqual(body["state"], "running")
    return body
  })
}

async function job(http: HttpTest, path: string, body: unknown): Promise<Json> {
  return finished(http, (await http.expect(202, `POST ${path}`, { body })).body)
}

httpTest("all messages move in order, or as many as are wanted", async (http) => {
  const channel = await channelTo(http)
  await channel.declareQueue("a", { durable: true })
  await channel.declareQueue("b", { durable: true })
  await publishNumbers(channel, "a", 3000)
  const path = "/api/queues/%2F/a/move"
  const dry = await job(http, path, { dest_queue: "b", dry_run: true })
  assert.equal(dry["matched"], 3000)
  assert.equal(dry["moved"], 0)
  const some = await job(http, path, { dest_queue: "b", count: 1000 })
  assert.equal(some["state"], "completed")
  assert.equal(some["moved"], 1000)
  const rest = await job(http, path, { dest_queue: "b" })
  assert.equal(rest["moved"], 2000)
  await eventually(() => assert.equal(http.vhost.queues.get("a")?.unackedCount, 0))
  assert.equal(http.vhost.queues.get("a")?.readyCount, 0)
  const moved = bodies(await drain(channel, "b"))
  assert.deepEqual(
    moved,
    Array.from({ length: 3000 }, (_, i) => String(i)),
  )
  assert.equal((await http.expect(200, "GET /api/jobs")).body["length"], 3)
})

httpTest(
  "what does not match stays in its place, and behind the last match untouched",
  async (http) => {
    const channel = await channelTo(http)
    await channel.declareQueue("a", { durable: true })
    await channel.declareQueue("b", { durable: true })
    for (let i = 0; i < 60; i++)
      await publishNumbers(channel, "a", 1, i, {
        headers: new Map([["kind", i < 30 && i % 3 === 0 ? "red" : "blue"]]),
      })
    const filter = { header: { kind: "red" } }
    const ended = await job(http, "/api/queues/%2F/a/move", { dest_queue: "b", filter })
    assert.equal(ended["moved"], 10)
    assert.equal(ended["scanned"], 28)
    await eventually(() => assert.equal(http.vhost.queues.get("a")?.readyCount, 50))
    const left = await drain(channel, "a")
    const expected = Array.from({ length: 60 }, (_, i) => i).filter((i) => i >= 30 || i % 3 !== 0)
    assert.deepEqual(bodies(left), expected.map(String))
    assert.ok(left.slice(0, 18).every(({ redelivered }) => redelivered))
    assert.ok(left.slice(18).every(({ redelivered }) => !redelivered))
    await publishNumbers(channel, "a", 5)
    const none = { dest_queue: "b", filter: { older_than: 3600 } }
    assert.equal((await job(http, "/api/queues/%2F/a/move", none))["matched"], 0)
    const all = { dest_queue: "b", filter: { newer_than: 3600, routing_key: "a", exchange: "" } }
    assert.equal((await job(http, "/api/queues/%2F/a/move", all))["moved"], 5)
  },
)

httpTest("dead letters go back to where they died, and not for ever", async (http) => {
  const channel = await channelTo(http)
  await channel.declareExchange("orders", "topic", { durable: true })
  const dead = { "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead" }
  await channel.declareQueue("work", { durable: true, arguments: dead })
  await channel.bindQueue("work", "orders", "new.#")
  await channel.declareQueue("dead", { durable: true })
  const { PublishTarget } = await import("../../src/client/publish-target.ts")
  const target = new PublishTarget({ exchange: "orders", routingKey: "new.1" })
  for (let i = 0; i < 20; i++) channel.publish(target, Buffer.from(String(i)), { deliveryMode: 2 })
  const die = async (): Promise<void> => {
    for (let i = 0; i < 20; i++) {
      const message = await eventually(async () => {
        const got = await channel.get("work")
        assert.ok(got !== null)
        assert.equal(got.exchange, "orders")
        assert.equal(got.routingKey, "new.1")
        return got
      })
      channel.reject(message.deliveryTag, false)
    }
    await eventually(() => assert.equal(http.vhost.queues.get("dead")?.readyCount, 20))
  }
  await die()
  const path = "/api/queues/%2F/dead/redrive"
  for (let round = 0; round < 3; round++) {
    const ended = await job(http, path, { filter: { reason: "rejected" } })
    assert.equal(ended["moved"], 20)
    await die()
  }
  const last = await job(http, path, {})
  assert.equal(last["moved"], 0)
  assert.equal(last["skipped"], 20)
  await eventually(() => assert.equal(http.vhost.queues.get("dead")?.readyCount, 20))
  const forced = await job(http, path, { to: "queue", max_redrives: 0, count: 5 })
  assert.equal(forced["moved"], 5)
  assert.equal((await channel.get("work", { noAck: true }))?.routingKey, "work")
})

httpTest("a slow job shows how far it is, and is cancelled", async (http) => {
  const channel = await channelTo(http)
  await channel.declareQueue("a", { durable: true })
  await channel.declareQueue("b", { durable: true })
  await publishNumbers(channel, "a", 100)
  const path = "/api/queues/%2F/a/move"
  const { body } = await http.expect(202, `POST ${path}`, { body: { dest_queue: "b", rate: 20 } })
  await http.expect(400, `POST ${path}`, { body: { dest_queue: "b" } })
  await eventually(() => assert.ok((http.vhost.queues.get("b")?.readyCount ?? 0) >= 3))
  await http.expect(204, `DELETE /api/jobs/${idOf(body)}`)
  const ended = await finished(http, body)
  assert.equal(ended["state"], "cancelled")
  await eventually(() => {
    const left = http.vhost.queues.get("a")
    assert.equal((left?.readyCount ?? 0) + (http.vhost.queues.get("b")?.readyCount ?? 0), 100)
    assert.equal(left?.unackedCount, 0)
  })
})

httpTest("what cannot be moved says why", async (http) => {
  const channel = await channelTo(http)
  await channel.declareQueue("a", { durable: true })
  const limits = { "x-max-length": 10, "x-overflow": "reject-publish" }
  await channel.declareQueue("small", { durable: true, arguments: limits })
  await channel.declareQueue("log", { durable: true, arguments: { "x-queue-type": "stream" } })
  await publishNumbers(channel, "a", 50)
  const path = "/api/queues/%2F/a/move"
  await http.expect(400, `POST ${path}`, { body: {} })
  await http.expect(400, `POST ${path}`, { body: { dest_queue: "a" } })
  await http.expect(404, `POST ${path}`, { body: { dest_queue: "none" } })
  await http.expect(404, `POST ${path}`, { body: { dest_exchange: "none" } })
  await http.expect(400, "POST /api/queues/%2F/log/move", { body: { dest_queue: "a" } })
  const ended = await job(http, path, { dest_queue: "small" })
  assert.equal(ended["state"], "failed")
  assert.match(JSON.stringify(ended["error"]), /takes no more/)
  assert.equal(ended["moved"], 10)
  await eventually(() => assert.equal(http.vhost.queues.get("a")?.readyCount, 40))
})

httpTest("a job whose queue is deleted says so", async (http) => {
  const channel = await channelTo(http)
  await channel.declareQueue("a", { durable: true })
  await channel.declareQueue("b", { durable: true })
  await publishNumbers(channel, "a", 100)
  const body = { dest_queue: "b", rate: 1 }
  const started = await http.expect(202, "POST /api/queues/%2F/a/move", { body })
  await channel.deleteQueue("a")
  const { state, error } = await finished(http, started.body)
  assert.deepEqual([state, error], ["failed", "the queue was deleted"])
})

test("a broker that stops in the middle of a move loses nothing", async () => {
  const disk = new MemoryDisk()
  const first = await startBroker({ disk, amqp: { port: 0 }, http: { port: 0 } })
  const uri = `amqp://guest:guest@127.0.0.1:${String(first.amqpPort)}`
  const channel = await (await new AmqpClient().connect(uri)).openChannel()
  await channel.declareQueue("a", { durable: true })
  await channel.declareQueue("b", { durable: true })
  await publishNumbers(channel, "a", 5000)
  await first.http?.app.request("/api/queues/%2F/a/move", {
    method: "POST",
    headers: { authorization: `Basic ${btoa("guest:guest")}`, "content-type": "application/json" },
    body: JSON.stringify({ dest_queue: "b" }),
  })
  await first.close()
  const second = await startBroker({ disk, amqp: { port: 0 } })
  const vhost = second.broker.vhosts.get("/")
  const count = (name: string): number => vhost?.queues.get(name)?.readyCount ?? 0
  assert.equal(count("a") + count("b"), 5000)
  await second.close()
})
