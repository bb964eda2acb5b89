/** PUT pause, resume and restart of a queue: status, permission, and what the API then shows. */
import assert from "node:assert/strict"
import { addUser, httpTest, rows, textOf } from "./support.ts"

httpTest("a queue is paused and resumed, again and again", async (http) => {
  const { expect, client } = http
  await expect(201, "PUT /api/queues/%2F/q", { body: { durable: true } })
  const amqp = await client()
  await amqp.call("basic.consume", 1, { queue: "q", consumerTag: "c", noAck: true })
  for (let round = 0; round < 2; round++) {
    await expect(204, "PUT /api/queues/%2F/q/pause")
    await expect(204, "PUT /api/queues/%2F/q/pause")
    const { body } = await expect(200, "GET /api/queues/%2F/q")
    assert.equal(body["state"], "paused")
    assert.equal(body["delivery"]?.["state"], "paused")
    assert.match(textOf(body["delivery"], "reason"), /\/resume/)
    const published = await expect(200, "POST /api/exchanges/%2F/amq.default/publish", {
      body: {
        properties: {},
        routing_key: "q",
        payload: `round ${String(round)}`,
        payload_encoding: "string",
      },
    })
    assert.equal(published.body["routed"], true)
    const [row] = rows(await expect(200, "GET /api/queues?sort=state&name=q"))
    assert.equal(row?.["state"], "paused")
    assert.equal(row?.["messages_ready"], 1)
    // Operators may look at the messages, and take some.
    const looked = rows(
      await expect(200, "POST /api/queues/%2F/q/get", {
        body: { count: 1, ack_mode: "ack_requeue_true", encoding: "auto" },
      }),
    )
    assert.equal(looked[0]?.["payload"], `round ${String(round)}`)
    await expect(204, "PUT /api/queues/%2F/q/resume")
    await expect(204, "PUT /api/queues/%2F/q/resume")
    const delivered = await amqp.expect("basic.deliver", 1)
    assert.equal(delivered.body.toString(), `round ${String(round)}`)
    const after = await expect(200, "GET /api/queues/%2F/q")
    assert.equal(after.body["state"], "running")
    assert.equal(after.body["delivery"]?.["state"], "idle")
  }
})

httpTest("a restart cancels the consumers and keeps the messages", async (http) => {
  const { expect, client } = http
  await expect(201, "PUT /api/queues/%2F/q", { body: { durable: true } })
  const amqp = await client()
  await amqp.call("basic.qos", 1, { prefetchCount: 1 })
  await amqp.call("basic.consume", 1, { queue: "q", consumerTag: "c" })
  for (const body of ["1", "2"]) amqp.publish(1, { routingKey: "q", body: Buffer.from(body) })
  await amqp.expect("basic.deliver", 1)
  await expect(204, "PUT /api/queues/%2F/q/restart")
  assert.equal((await amqp.expect("basic.cancel", 1)).consumerTag, "c")
  const { body } = await expect(200, "GET /api/queues/%2F/q")
  assert.equal(body["consumers"], 0)
  assert.equal(body["messages_ready"], 2)
  assert.equal(body["messages_unacknowledged"], 0)
})

httpTest("it takes the permission to configure the queue", async (http) => {
  const { expect, client } = http
  await expect(201, "PUT /api/queues/%2F/q", { body: {} })
  const monitor = await addUser(http, "monitor", ["monitoring"])
  const manager = await addUser(http, "manager", ["management"], "/")
  await addUser(http, "reader", ["management"])
  await http.running.administration.setPermissions("reader", "/", {
    configure: "^$",
    write: ".*",
    read: ".*",
  })
  const amqp = await client()
  await amqp.call("queue.declare", 1, { queue: "mine", exclusive: true })
  for (const action of ["pause", "resume", "restart"]) {
    await expect(401, `PUT /api/queues/%2F/q/${action}`, { user: monitor })
    await expect(401, `PUT /api/queues/%2F/q/${action}`, { user: "reader:reader" })
    await expect(204, `PUT /api/queues/%2F/q/${action}`, { user: manager })
    await expect(404, `PUT /api/queues/%2F/none/${action}`)
    await expect(404, `PUT /api/queues/none/q/${action}`)
    await expect(400, `PUT /api/queues/%2F/mine/${action}`)
    await expect(405, `POST /api/queues/%2F/q/${action}`)
  }
})
