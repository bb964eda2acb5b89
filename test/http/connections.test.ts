/** Connections, channels and consumers over HTTP, with their counters. */
import assert from "node:assert/strict"
import { eventually } from "../support/eventually.ts"
import { addUser, httpTest, rows, textOf } from "./support.ts"

httpTest("a connection, its channels and consumers are shown", async (http) => {
  const { expect } = http
  const client = await http.client()
  await client.call("confirm.select", 1)
  await client.call("queue.declare", 1, { queue: "q" })
  await client.call("basic.qos", 1, { prefetchCount: 7 })
  await client.call("basic.consume", 1, { queue: "q", consumerTag: "c1" })
  const [connection] = rows(await expect(200, "GET /api/connections"))
  assert.ok(connection !== undefined)
  const name = encodeURIComponent(textOf(connection, "name"))
  assert.equal(connection["user"], "guest")
  assert.equal(connection["channels"], 1)
  assert.equal(connection["state"], "running")
  const one = await expect(200, `GET /api/connections/${name}`)
  const form = name.replaceAll("%20", "+")
  await expect(200, `GET /api/connections/${form}`)
  await expect(200, `GET /api/channels/${form}+(1)`)
  assert.equal(one.body["vhost"], "/")
  const [channel] = rows(await expect(200, `GET /api/connections/${name}/channels`))
  assert.equal(channel?.["confirm"], true)
  assert.equal(channel?.["prefetch_count"], 7)
  const path = `/api/channels/${name}%20(1)`
  const shown = await expect(200, `GET ${path}`)
  assert.equal(rows({ ...shown, body: shown.body["consumer_details"] ?? {} }).length, 1)
  assert.equal(rows(await expect(200, "GET /api/channels")).length, 1)
  assert.equal(rows(await expect(200, "GET /api/vhosts/%2F/channels")).length, 1)
  assert.equal(rows(await expect(200, "GET /api/vhosts/%2F/connections")).length, 1)
  assert.equal(rows(await expect(200, "GET /api/connections/username/guest")).length, 1)
  assert.equal(rows(await expect(200, "GET /api/connections/username/nobody")).length, 0)
  const [consumer] = rows(await expect(200, "GET /api/consumers/%2F"))
  assert.equal(consumer?.["consumer_tag"], "c1")
  assert.deepEqual(consumer?.["queue"], { name: "q", vhost: "/" })
  assert.equal(consumer?.["prefetch_count"], 7)
  const { body } = await expect(200, "GET /api/queues/%2F/q")
  assert.equal(body["consumers"], 1)
  await expect(204, `PUT ${path}`, { body: { prefetch: 3 } })
  await expect(400, `PUT ${path}`, { body: { prefetch: -1 } })
  assert.equal((await expect(200, `GET ${path}`)).body["prefetch_count"], 3)
  await expect(404, `DELETE /api/consumers/%2F/${name}/1/other`)
  await expect(204, `DELETE /api/consumers/%2F/${name}/1/c1`)
  assert.equal(http.vhost.queues.get("q")?.consumerCount, 0)
  await expect(404, "GET /api/connections/none")
  await expect(404, "GET /api/channels/none")
})

httpTest("a connection is closed with the reason that was given", async (http) => {
  const client = await http.client()
  const [connection] = rows(await http.expect(200, "GET /api/connections"))
  const name = encodeURIComponent(textOf(connection, "name"))
  const closed = client.expect("connection.close")
  await http.expect(204, `DELETE /api/connections/${name}`, { headers: { "x-reason": "tidying" } })
  const { replyCode, replyText } = await closed
  assert.equal(replyCode, 320)
  assert.match(replyText, /tidying/)
  const second = await http.client()
  const ended = second.expect("connection.close")
  await http.expect(204, "DELETE /api/connections/username/guest")
  assert.match((await ended).replyText, /Closed via management plugin/)
})

httpTest("whoever is no monitor sees his own connections only", async (http) => {
  const { expect } = http
  await http.client()
  const user = await addUser(http, "me", ["management"], "/")
  assert.equal(rows(await expect(200, "GET /api/connections", { user })).length, 0)
  assert.equal(rows(await expect(200, "GET /api/channels", { user })).length, 0)
  await http.client({ user: "me", password: "me" })
  assert.equal(rows(await expect(200, "GET /api/connections", { user })).length, 1)
  const all = rows(await expect(200, "GET /api/connections"))
  assert.equal(all.length, 2)
  const other = all.find((row) => JSON.stringify(row["user"]) === '"guest"')
  const name = encodeURIComponent(textOf(other, "name"))
  await expect(401, `GET /api/connections/${name}`, { user })
  await expect(401, `DELETE /api/connections/${name}`, { user })
  await expect(401, "DELETE /api/connections/username/guest", { user })
  const monitor = await addUser(http, "monitor", ["monitoring"])
  await expect(200, `GET /api/connections/${name}`, { user: monitor })
  await expect(401, `DELETE /api/connections/${name}`, { user: monitor })
})

httpTest("messages are counted where they pass", async (http) => {
  const { expect } = http
  const client = await http.client()
  await client.call("confirm.select", 1)
  await client.call("queue.declare", 1, { queue: "q" })
  for (let i = 0; i < 5; i++) client.publish(1, { routingKey: "q", body: Buffer.from("x") })
  client.publish(1, { routingKey: "nowhere", mandatory: true, body: Buffer.from("x") })
  await eventually(async () => {
    const { body } = await expect(200, "GET /api/overview")
    assert.deepEqual(
      counts(body["message_stats"], ["publish", "confirm", "return_unroutable"]),
      [6, 6, 1],
    )
  })
  const reader = await http.client()
  await reader.call("basic.get", 1, { queue: "q" })
  reader.send("basic.reject", 1, { deliveryTag: 1, requeue: true })
  await reader.call("basic.get", 1, { queue: "q", noAck: true })
  await reader.call("basic.get", 1, { queue: "q" })
  reader.send("basic.ack", 1, { deliveryTag: 3, multiple: false })
  await reader.call("basic.consume", 1, { queue: "q", noAck: true })
  const names = ["get", "get_no_ack", "deliver_no_ack", "deliver_get", "ack", "reject", "redeliver"]
  const expected = [2, 1, 3, 6, 1, 1, 1]
  await eventually(async () => {
    const { body } = await expect(200, "GET /api/overview")
    assert.deepEqual(counts(body["message_stats"], names), expected)
  })
  const channels = rows(await expect(200, "GET /api/channels?sort=message_stats.get"))
  const channel = channels.at(-1)
  assert.deepEqual(counts(channel?.["message_stats"], names), expected)
  const { body: queue } = await expect(200, "GET /api/queues/%2F/q")
  assert.deepEqual(counts(queue["message_stats"], ["publish", "deliver_get", "ack"]), [5, 6, 1])
  client.destroy()
  reader.destroy()
  await eventually(async () => {
    const { body } = await expect(200, "GET /api/overview")
    assert.deepEqual(counts(body["message_stats"], names), expected)
    const churn = counts(body["churn_rates"], ["connection_created", "connection_closed"])
    assert.deepEqual(churn, [2, 2])
  })
  const { body: vhost } = await expect(200, "GET /api/vhosts/%2F")
  assert.deepEqual(counts(vhost["message_stats"], names), expected)
})

function counts(stats: unknown, names: readonly string[]): unknown[] {
  assert.ok(typeof stats === "object" && stats !== null)
  return names.map((name) => Reflect.get(stats, name))
}
