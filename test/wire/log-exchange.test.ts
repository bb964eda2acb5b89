/** The log as messages: what is published, to whom, and that it does not feed on itself. */
import assert from "node:assert/strict"
import type { Broker } from "../../src/broker/broker.ts"
import { LOG_EXCHANGES } from "../../src/broker/log-exchanges.ts"
import type { WireClient } from "../support/wire-client.ts"
import { eventually } from "../support/eventually.ts"
import { FaultyDisk } from "../support/faulty-disk.ts"
import { declare, wireTest } from "./harness.ts"

async function bind(
  client: WireClient,
  queue: string,
  exchange: string,
  key: string,
): Promise<void> {
  await client.call("queue.bind", 1, { queue, exchange, routingKey: key })
}

/** Body and routing key of all that is in the queue. */
async function drain(client: WireClient, queue: string): Promise<readonly [string, string][]> {
  const found: [string, string][] = []
  for (;;) {
    client.send("basic.get", 1, { queue, noAck: true })
    const reply = await client.next(1)
    if (reply.name !== "basic.get-ok") return found
    found.push([String(reply.args["routingKey"]), reply.body.toString()])
  }
}

function say(broker: Broker, count: number, level: "info" | "warn" | "error" = "warn"): void {
  for (let i = 0; i < count; i++)
    broker.log[level](
      { vhost: "/", password: "hidden", uri: "amqp://u:hidden@h", i },
      `said ${level}`,
    )
}

wireTest("without the option there are no such exchanges", async (wire) => {
  const client = await wire.channel()
  for (const name of LOG_EXCHANGES) {
    assert.equal(wire.vhost.exchanges.has(name), false)
    client.send("exchange.declare", 1, { exchange: name, type: "topic", durable: true })
    await client.expectChannelClose(1, { code: 403, text: /contains reserved prefix 'amq\.\*'/ })
    await client.openChannel(1)
  }
})

wireTest(
  "each line goes to both exchanges, in the spelling of either, free of secrets",
  async (wire) => {
    const client = await wire.channel()
    for (const name of LOG_EXCHANGES) {
      const exchange = wire.vhost.exchanges.get(name)
      assert.ok(exchange !== undefined && exchange.durable && exchange.internal)
      assert.equal(exchange.type, "topic")
    }
    const pairs = [
      ["r-all", "amq.rabbitmq.log", "#"],
      ["r-error", "amq.rabbitmq.log", "error"],
      ["l-all", "amq.lavinmq.log", "#"],
    ] as const
    for (const [queue, exchange, key] of pairs) {
      await declare(client, queue)
      await bind(client, queue, exchange, key)
      await client.call("queue.purge", 1, { queue })
    }
    for (const level of ["info", "warn", "error"] as const) say(wire.broker(), 1, level)
    const { queues } = wire.vhost
    await eventually(() => assert.equal(queues.get("l-all")?.readyCount, 3))
    const lines = await drain(client, "r-all")
    assert.deepEqual(
      lines.map(([key]) => key),
      ["info", "warning", "error"],
    )
    assert.match(
      lines[1]![1],
      /^\d{4}-\d\d-\d\dT[\d:.]+Z \[warn\] said warn vhost=\/ password=\S*redacted\S* uri=.*@h.* i=0$/,
    )
    for (const [, body] of lines) assert.doesNotMatch(body, /hidden/)
    assert.deepEqual(
      (await drain(client, "r-error")).map(([key]) => key),
      ["error"],
    )
    const [, , last] = await drain(client, "l-all")
    assert.equal(last?.[0], "Error")
    assert.match(last[1], /^vhost - said error vhost=\//)
  },
  { logExchange: true },
)

wireTest(
  "they are read like other exchanges, and neither published to nor deleted",
  async (wire) => {
    const { users } = wire.broker()
    await users.put("reader", { password: "reader" })
    const rights = { configure: ".*", write: ".*", read: "^amq\\.rabbitmq|^mine" }
    await users.setPermissions("reader", "/", rights)
    const client = await wire.open({ user: "reader", password: "reader" })
    await client.openChannel(1)
    await declare(client, "mine")
    await bind(client, "mine", "amq.rabbitmq.log", "#")
    client.send("queue.bind", 1, { queue: "mine", exchange: "amq.lavinmq.log", routingKey: "#" })
    await client.expectChannelClose(1, { code: 403, text: /access to exchange 'amq.lavinmq.log'/ })
    await client.openChannel(1)
    client.publish(1, { exchange: "amq.rabbitmq.log", routingKey: "info", body: Buffer.alloc(1) })
    await client.expectChannelClose(1, { code: 403, text: /internal exchange/ })
    await client.openChannel(1)
    client.send("exchange.delete", 1, { exchange: "amq.rabbitmq.log" })
    await client.expectChannelClose(1, { code: 403, text: /deletion of system exchange/ })
  },
  { logExchange: true },
)

const disk = new FaultyDisk()

wireTest(
  "a log that cannot be stored is not logged without end",
  async (wire) => {
    const client = await wire.channel()
    await declare(client, "log", { durable: true })
    await bind(client, "log", "amq.rabbitmq.log", "#")
    disk.failCall("write", 1, "EIO", { repeat: true })
    say(wire.broker(), 10)
    const queue = wire.vhost.queues.get("log")
    await eventually(() => assert.equal(queue?.fault?.kind, "write"))
    const before = wire.broker().turn.loopCount
    await client.call("basic.qos", 1, { prefetchCount: 1 })
    const published = queue?.publishedCount ?? 0
    await eventually(() => assert.ok(wire.broker().turn.loopCount > before + 50))
    assert.ok((queue?.publishedCount ?? 0) - published < 20)
    disk.heal()
    await eventually(() => assert.equal(queue?.fault, null))
  },
  { logExchange: true, disk },
)

wireTest(
  "a flood is bounded, and under an alarm nothing is published",
  async (wire) => {
    const client = await wire.channel()
    await declare(client, "log")
    await bind(client, "log", "amq.lavinmq.log", "#")
    const broker = wire.broker()
    const queue = wire.vhost.queues.get("log")!
    // Different texts, which the limit for lines of a kind does not hold back.
    for (let i = 0; i < 5000; i++) broker.log.warn({}, `line ${String(i)}`)
    await eventually(() => assert.equal(queue.readyCount, 1025))
    const lines = await drain(client, "log")
    assert.match(lines[0]![1], /^broker - 3976 lines were left out/)
    assert.equal(lines.at(-1)![1], "broker - line 4999")
    broker.setAlarm("memory", true)
    broker.log.warn({}, "nobody gets it")
    const turns = broker.turn.loopCount
    await client.call("basic.qos", 1, { prefetchCount: 1 })
    assert.ok(broker.turn.loopCount >= turns)
    broker.setAlarm("memory", false)
    await eventually(() => assert.ok(queue.readyCount > 0))
    for (const [, body] of await drain(client, "log")) assert.doesNotMatch(body, /nobody gets it/)
  },
  { logExchange: true },
)
