/** A queue that the disk fails says so: in its state, in what explains it, and in the metrics. */
import assert from "node:assert/strict"
import { eventually } from "../support/eventually.ts"
import { FaultyDisk } from "../support/faulty-disk.ts"
import type { Json } from "./support.ts"
import { httpTest, rows, textOf } from "./support.ts"

const QUEUE = "GET /api/queues/%2F/q"

interface Setup {
  readonly type: string
  readonly arguments: object
}

const SETUPS: readonly Setup[] = [
  { type: "classic", arguments: {} },
  { type: "priority", arguments: { "x-max-priority": 3 } },
  { type: "stream", arguments: { "x-queue-type": "stream" } },
]

for (const setup of SETUPS) {
  const disk = new FaultyDisk()
  httpTest(
    `${setup.type}: a store that cannot write is crashed until it can`,
    async (http) => {
      const { expect, ask, client } = http
      await expect(201, "PUT /api/queues/%2F/other", { body: { durable: true } })
      await expect(201, "PUT /api/queues/%2F/q", {
        body: { durable: true, arguments: setup.arguments },
      })
      const amqp = await client()
      await amqp.call("confirm.select", 1)
      disk.failCall("write", 1, "EIO", { repeat: true })
      amqp.publish(1, { routingKey: "q", properties: { deliveryMode: 2 }, body: Buffer.from("m") })
      await amqp.expect("basic.nack", 1)
      const { body } = await expect(200, QUEUE)
      assert.equal(body["state"], "crashed")
      assert.equal(body["delivery"]?.["state"], "crashed")
      assert.equal(body["delivery"]?.["code"], "store-cannot-write")
      assert.match(textOf(body["delivery"], "reason"), /\(EIO\).*nack.*\/restart/)
      const states = rows(await expect(200, "GET /api/queues?sort=state"))
      assert.deepEqual(
        states.map((row) => [row["name"], row["state"]]),
        [
          ["q", "crashed"],
          ["other", "running"],
        ],
      )
      assert.match((await ask("GET /metrics")).text, /^rabbitmq_alarms_failed_stores 1$/m)
      const { text } = await ask("GET /api/logs?level=error")
      assert.match(text, /the (store|stream) cannot write: .* queue=q .*code=EIO/)
      disk.heal()
      const healed = await eventually(async (): Promise<Json> => {
        const answer = await expect(200, QUEUE)
        assert.equal(answer.body["state"], "running")
        return answer.body
      })
      assert.notEqual(healed["delivery"]?.["state"], "crashed")
      assert.match((await ask("GET /metrics")).text, /^rabbitmq_alarms_failed_stores 0$/m)
    },
    { disk },
  )
}

const unreadable = new FaultyDisk()

httpTest(
  "a store that cannot read is crashed, and running again after a restart of the queue",
  async (http) => {
    const { expect, client } = http
    await expect(201, "PUT /api/queues/%2F/q", { body: { durable: true } })
    const amqp = await client()
    await amqp.call("confirm.select", 1)
    for (let i = 0; i < 5; i++) {
      const body = Buffer.alloc(100_000, i)
      amqp.publish(1, { routingKey: "q", properties: { deliveryMode: 2 }, body })
      await amqp.expect("basic.ack", 1)
    }
    unreadable.failCall("read", 1, "EIO", { repeat: true })
    amqp.send("basic.get", 1, { queue: "q", noAck: true })
    await amqp.expect("basic.get-empty", 1)
    const { body } = await expect(200, QUEUE)
    assert.equal(body["state"], "crashed")
    assert.equal(body["delivery"]?.["code"], "store-cannot-read")
    assert.match(textOf(body["delivery"], "reason"), /does not give.*\(EIO\)/)
    unreadable.heal()
    await expect(204, "PUT /api/queues/%2F/q/restart")
    const after = await expect(200, QUEUE)
    assert.equal(after.body["state"], "running")
    assert.equal(after.body["messages_ready"], 5)
  },
  { disk: unreadable },
)
