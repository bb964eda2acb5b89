/** Metrics for Prometheus: that the format is right, the numbers are, and who sees what. */
import assert from "node:assert/strict"
import { connect } from "node:net"
import { once } from "node:events"
import { EMPTY_TABLE } from "../../src/amqp/table.ts"
import { startBroker } from "../../src/server/start-broker.ts"
import { test } from "node:test"
import { eventually } from "../support/eventually.ts"
import { parseExposition, valueOf } from "../support/exposition.ts"
import type { Family } from "../support/exposition.ts"
import { addUser, httpTest } from "./support.ts"
import type { HttpTest } from "./support.ts"

/** What the panels of the dashboard RabbitMQ-Overview read; `group_left` needs identity_info beside it. */
const DASHBOARD = [
  "queue_messages_ready",
  "queue_messages_unacked",
  "global_messages_received_total",
  "global_messages_delivered_total",
  "global_publishers",
  "global_consumers",
  "connections",
  "channels",
  "queues",
  "consumers",
  "erlang_uptime_seconds",
  "build_info",
  "identity_info",
  "resident_memory_limit_bytes",
  "process_resident_memory_bytes",
  "disk_space_available_bytes",
  "disk_space_available_limit_bytes",
  "process_max_fds",
  "process_open_fds",
  "message_size_bytes",
  "global_messages_routed_total",
  "global_messages_confirmed_total",
  "global_messages_received_confirm_total",
  "global_messages_unroutable_dropped_total",
  "global_messages_unroutable_returned_total",
  "global_messages_delivered_consume_auto_ack_total",
  "global_messages_delivered_consume_manual_ack_total",
  "global_messages_delivered_get_auto_ack_total",
  "global_messages_delivered_get_manual_ack_total",
  "global_messages_get_empty_total",
  "global_messages_redelivered_total",
  "global_messages_acknowledged_total",
  "queues_declared_total",
  "queues_created_total",
  "queues_deleted_total",
  "channels_opened_total",
  "channels_closed_total",
  "connections_opened_total",
  "connections_closed_total",
]

/** On the port for Prometheus, as everybody gets them. */
async function scrape(http: HttpTest, path = "/metrics"): Promise<Map<string, Family>> {
  const { metrics } = http.running
  assert.ok(metrics !== null)
  const response = await metrics.app.request(path)
  assert.equal(response.status, 200)
  assert.equal(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8")
  return parseExposition(await response.text())
}

/** On the management port. */
async function scrapeAs(
  http: HttpTest,
  user: string | null,
  path = "/metrics",
): Promise<{ readonly status: number; readonly text: string }> {
  const headers: Record<string, string> = {}
  if (user !== null) headers["authorization"] = `Basic ${btoa(user)}`
  assert.ok(http.running.http !== null)
  const response = await http.running.http.app.request(path, { headers })
  return { status: response.status, text: await response.text() }
}

httpTest("the common dashboard finds all that it reads", async (http) => {
  const families = await scrape(http)
  for (const name of DASHBOARD) assert.ok(families.has(`rabbitmq_${name}`), name)
  const [identity] = families.get("rabbitmq_identity_info")?.series ?? []
  assert.equal(identity?.labels["rabbitmq_endpoint"], "aggregated")
  assert.equal(identity?.labels["rabbitmq_cluster"], "sluice")
  assert.match(identity?.labels["rabbitmq_node"] ?? "", /^sluice@/)
  assert.equal(valueOf(families, "rabbitmq_build_info", { product_name: "Sluice" }), 1)
})

httpTest(
  "every way of a message is counted, and the counts outlive what made them",
  async (http) => {
    const client = await http.client()
    await client.call("confirm.select", 1)
    await client.call("queue.declare", 1, { queue: "q" })
    await client.call("queue.declare", 1, { queue: "q" })
    await client.openChannel(2)
    for (const body of ["x".repeat(100), "x".repeat(101), "", "x".repeat(70_000)]) {
      client.publish(1, { routingKey: "q", body: Buffer.from(body) })
      await client.expect("basic.ack", 1)
    }
    client.publish(1, { routingKey: "nobody", mandatory: true, body: Buffer.from("back") })
    await client.expect("basic.return", 1)
    await client.expect("basic.ack", 1)
    client.publish(2, { routingKey: "nobody", body: Buffer.from("gone") })
    client.send("basic.get", 2, { queue: "q", noAck: true })
    await client.expect("basic.get-ok", 2)
    client.send("basic.get", 2, { queue: "q" })
    await client.expect("basic.get-ok", 2)
    client.send("basic.nack", 2, { deliveryTag: 2, requeue: true })
    await client.call("basic.consume", 2, { queue: "q", consumerTag: "c" })
    for (let i = 0; i < 3; i++) await client.expect("basic.deliver", 2)
    client.send("basic.ack", 2, { deliveryTag: 5, multiple: true })
    client.send("basic.get", 2, { queue: "q", noAck: true })
    await client.expect("basic.get-empty", 2)
    const check = async (): Promise<void> => {
      const families = await scrape(http)
      const global = (name: string): number =>
        valueOf(families, `rabbitmq_global_${name}`, { protocol: "amqp091" })
      assert.equal(global("messages_received_total"), 6)
      assert.equal(global("messages_received_confirm_total"), 5)
      assert.equal(global("messages_confirmed_total"), 5)
      assert.equal(global("messages_routed_total"), 4)
      assert.equal(global("messages_unroutable_returned_total"), 1)
      assert.equal(global("messages_unroutable_dropped_total"), 1)
      assert.equal(global("messages_delivered_get_auto_ack_total"), 1)
      assert.equal(global("messages_delivered_get_manual_ack_total"), 1)
      assert.equal(global("messages_delivered_consume_manual_ack_total"), 3)
      assert.equal(global("messages_delivered_consume_auto_ack_total"), 0)
      assert.equal(global("messages_delivered_total"), 5)
      assert.equal(global("messages_get_empty_total"), 1)
      assert.equal(global("messages_redelivered_total"), 1)
      assert.equal(global("messages_acknowledged_total"), 3)
      assert.equal(valueOf(families, "rabbitmq_queues_declared_total"), 2)
      assert.equal(valueOf(families, "rabbitmq_queues_created_total"), 1)
      const size = "rabbitmq_message_size_bytes"
      assert.equal(valueOf(families, `${size}_bucket`, { le: "100" }), 4)
      assert.equal(valueOf(families, `${size}_bucket`, { le: "1000" }), 5)
      assert.equal(valueOf(families, `${size}_bucket`, { le: "100000" }), 6)
      assert.equal(valueOf(families, `${size}_sum`), 100 + 101 + 70_000 + 8)
      assert.equal(valueOf(families, "rabbitmq_confirm_latency_seconds_count"), 5)
      assert.ok(valueOf(families, "rabbitmq_connection_incoming_bytes_total") > 70_000)
    }
    await check()
    const before = await scrape(http)
    assert.equal(valueOf(before, "rabbitmq_global_publishers"), 2)
    assert.equal(valueOf(before, "rabbitmq_global_consumers"), 1)
    await client.call("queue.delete", 1, { queue: "q" })
    client.destroy()
    await eventually(async () => {
      assert.equal(valueOf(await scrape(http), "rabbitmq_connections_closed_total"), 1)
    })
    await check()
    await http.expect(204, "DELETE /api/vhosts/%2F")
    await check()
    const after = await scrape(http)
    assert.equal(valueOf(after, "rabbitmq_queues_deleted_total"), 1)
    assert.equal(valueOf(after, "rabbitmq_vhosts"), 0)
  },
)

httpTest("names are escaped, and each object has its own samples", async (http) => {
  const name = 'a "quoted" \\ name'
  const client = await http.client()
  await client.call("queue.declare", 1, { queue: name })
  client.publish(1, { routingKey: name, body: Buffer.from("12345") })
  await eventually(() => assert.equal(http.vhost.queues.get(name)?.readyCount, 1))
  const families = await scrape(http, "/metrics/per-object")
  const labels = { vhost: "/", queue: name }
  assert.equal(valueOf(families, "rabbitmq_queue_messages_ready", labels), 1)
  assert.equal(valueOf(families, "rabbitmq_queue_messages_ready_bytes", labels), 5)
  assert.equal(valueOf(families, "rabbitmq_queue_messages_published_total", labels), 1)
  assert.equal(
    families.get("rabbitmq_queue_messages_delivered_total"),
    undefined,
    "nothing for what was never counted",
  )
  const [channel] = families.get("rabbitmq_channel_messages_published_total")?.series ?? []
  assert.match(channel?.labels["channel"] ?? "", / \(1\)$/)
  assert.equal(channel?.value, 1)
})

httpTest("detailed metrics are those of the families that are asked for", async (http) => {
  const client = await http.client()
  await client.call("queue.declare", 1, { queue: "q" })
  const none = await scrape(http, "/metrics/detailed")
  assert.ok([...none.keys()].every((name) => name.startsWith("telemetry_")))
  const families = await scrape(
    http,
    "/metrics/detailed?family=queue_coarse_metrics&family=vhost_status&family=queue_metrics",
  )
  assert.equal(valueOf(families, "rabbitmq_detailed_queue_messages_ready", { queue: "q" }), 0)
  assert.equal(valueOf(families, "rabbitmq_detailed_queue_consumers", { queue: "q" }), 0)
  assert.equal(valueOf(families, "rabbitmq_cluster_vhost_status", { vhost: "/" }), 1)
  assert.equal(families.get("rabbitmq_detailed_channel_prefetch"), undefined)
  const churn = await scrape(http, "/metrics/detailed?family=connection_churn_metrics")
  assert.equal(valueOf(churn, "rabbitmq_detailed_connections_opened_total"), 1)
  assert.ok((await scrape(http, "/metrics/detailed?family=ra_metrics")).size > 0)
  const unknown = await http.running.metrics?.app.request("/metrics/detailed?family=queue_coarse")
  assert.equal(unknown?.status, 400)
  assert.match((await unknown?.text()) ?? "", /unknown family 'queue_coarse'/)
})

httpTest("the prefix can be chosen, within limits", async (http) => {
  const families = await scrape(http, "/metrics?prefix=lavinmq")
  assert.equal(valueOf(families, "lavinmq_queues"), 0)
  assert.ok([...families.keys()].every((name) => /^(?:lavinmq|telemetry)_/.test(name)))
  const [identity] = families.get("lavinmq_identity_info")?.series ?? []
  assert.equal(identity?.labels["lavinmq_cluster"], "sluice")
  for (const prefix of ["a".repeat(21), "1a", "a-b", "a%0Ab", "é", ""]) {
    const answer = await scrapeAs(http, "guest:guest", `/metrics?prefix=${prefix}`)
    assert.equal(answer.status, 400, prefix)
  }
})

httpTest("users see the vhosts that they may see", async (http) => {
  const { expect, running } = http
  await expect(201, "PUT /api/vhosts/other")
  const client = await http.client()
  await client.call("queue.declare", 1, { queue: "q" })
  const other = await http.client({ vhost: "other" })
  await other.call("queue.declare", 1, { queue: "hidden" })
  const monitor = await addUser(http, "monitor", ["monitoring"])
  const manager = await addUser(http, "manager", ["management"], "/")
  await running.administration.putUser("plain", { password: "plain", tags: [] })
  assert.equal((await scrapeAs(http, null)).status, 401)
  assert.equal((await scrapeAs(http, "plain:plain")).status, 401)
  const all = parseExposition((await scrapeAs(http, monitor)).text)
  assert.equal(valueOf(all, "rabbitmq_queues"), 2)
  assert.equal(valueOf(all, "rabbitmq_connections"), 2)
  const some = parseExposition((await scrapeAs(http, manager)).text)
  assert.equal(valueOf(some, "rabbitmq_queues"), 1)
  assert.equal(valueOf(some, "rabbitmq_connections"), 1)
  assert.equal(some.get("rabbitmq_process_open_fds"), undefined)
  const { text } = await scrapeAs(http, manager, "/metrics/per-object")
  assert.ok(parseExposition(text).size > 0)
  assert.ok(!text.includes("hidden"))
  const filtered = await scrapeAs(http, manager, "/metrics/per-object?vhost=other&vhost=none")
  assert.ok(!filtered.text.includes("hidden"))
  const one = await scrape(http, "/metrics?vhost=other")
  assert.equal(valueOf(one, "rabbitmq_queues"), 1)
  const both = await scrape(http, "/metrics?vhost=other&vhost=/")
  assert.equal(valueOf(both, "rabbitmq_queues"), 2)
})

httpTest("memory, collections and the delay of the event loop are shown", async (http) => {
  const memory = await scrape(http, "/metrics/memory-breakdown")
  const resident = valueOf(memory, "rabbitmq_memory_resident_bytes")
  assert.ok(resident > valueOf(memory, "rabbitmq_memory_heap_used_bytes"))
  assert.equal(memory.get("rabbitmq_queues"), undefined)
  await eventually(async () => {
    const families = await scrape(http)
    assert.ok(valueOf(families, "rabbitmq_event_loop_delay_seconds_count") > 0)
  })
  const families = await scrape(http)
  assert.ok(valueOf(families, "rabbitmq_event_loop_active_seconds_total") > 0)
  assert.equal(valueOf(families, "rabbitmq_alarms_memory_used_watermark"), 0)
})

httpTest("too many scrapes at one time are refused, and places come back", async (http) => {
  const { metrics } = http.running
  assert.ok(metrics !== null)
  const path = "/metrics/per-object"
  const readers: (ReadableStreamDefaultReader<Uint8Array> | undefined)[] = []
  for (let i = 0; i < 4; i++) readers.push((await metrics.app.request(path)).body?.getReader())
  for (const reader of readers) assert.equal((await reader?.read())?.done, false)
  const refused = await metrics.app.request(path)
  assert.equal(refused.status, 503)
  assert.equal(refused.headers.get("retry-after"), "5")
  for (const reader of readers) await reader?.cancel()
  assert.ok((await scrape(http, path)).size > 0)
  for (let i = 0; i < 10; i++)
    assert.equal((await metrics.app.request(path, { method: "HEAD" })).status, 200)
  assert.ok((await scrape(http, path)).size > 0, "a HEAD takes no place")
})

test("a client that reads nothing holds one piece, and the broker serves the others", async () => {
  const running = await startBroker({ amqp: { port: 0 }, metrics: { port: 0 } })
  try {
    const vhost = running.broker.vhosts.get("/")
    const { metrics } = running
    assert.ok(vhost !== undefined && metrics !== null)
    const attributes = {
      durable: false,
      exclusive: false,
      autoDelete: false,
      arguments: EMPTY_TABLE,
    }
    for (let i = 0; i < 20_000; i++)
      vhost.declareQueue({ name: `queue-with-a-long-name-${String(i)}`, ...attributes }, null)
    const socket = connect(metrics.port, "127.0.0.1")
    await once(socket, "connect")
    socket.write("GET /metrics/per-object HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await once(socket, "readable")
    const response = await fetch(`http://127.0.0.1:${String(metrics.port)}/metrics/per-object`)
    const families = parseExposition(await response.text())
    assert.equal(families.get("rabbitmq_queue_messages_ready")?.series.length, 20_000)
    socket.destroy()
  } finally {
    await running.close()
  }
})

test("the default port may be taken, another may not", async () => {
  const first = await startBroker({ amqp: { port: 0 }, metrics: { port: 0 } })
  const port = first.metrics?.port ?? 0
  try {
    const second = await startBroker({ amqp: { port: 0 }, metrics: { port, isOptional: true } })
    assert.deepEqual(second.metrics?.addresses, [])
    await second.close()
    await assert.rejects(
      startBroker({ amqp: { port: 0 }, metrics: { port } }),
      /already in use.*--metrics-http-port/,
    )
  } finally {
    await first.close()
  }
})
