import assert from "node:assert/strict"
import type { ExchangeDeclare } from "../../src/amqp/generated/methods.ts"
import {
  receiveBodies,
  consume,
  declare,
  drain,
  get,
  publishAndWait,
  table,
  text,
  wireTest,
} from "./harness.ts"

const TYPES = ["direct", "fanout", "topic", "headers"]

wireTest("each type can be declared, and declared again with the same attributes", async (wire) => {
  const client = await wire.channel()
  for (const type of TYPES)
    for (let i = 0; i < 2; i++)
      await client.call("exchange.declare", 1, { exchange: `x.${type}`, type, durable: true })
})

wireTest(
  "the predeclared exchanges are there, durable, and may be declared again",
  async (wire) => {
    const client = await wire.channel()
    for (const [exchange, type] of [
      ["amq.direct", "direct"],
      ["amq.fanout", "fanout"],
      ["amq.topic", "topic"],
      ["amq.headers", "headers"],
      ["amq.match", "headers"],
    ] as const) {
      await client.call("exchange.declare", 1, { exchange, passive: true })
      await client.call("exchange.declare", 1, { exchange, type, durable: true })
    }
  },
)

const CHANGES: readonly (readonly [Partial<ExchangeDeclare>, string])[] = [
  [
    { type: "fanout" },
    "inequivalent arg 'type' for exchange 'x' in vhost '/': received 'fanout' but current is 'direct'",
  ],
  [
    { durable: true },
    "inequivalent arg 'durable' for exchange 'x' in vhost '/': received 'true' but current is 'false'",
  ],
  [
    { autoDelete: true },
    "inequivalent arg 'auto_delete' for exchange 'x' in vhost '/': received 'true' but current is 'false'",
  ],
  [
    { internal: true },
    "inequivalent arg 'internal' for exchange 'x' in vhost '/': received 'true' but current is 'false'",
  ],
]

wireTest("declaring again with other attributes is refused with 406", async (wire) => {
  const client = await wire.channel()
  await client.call("exchange.declare", 1, { exchange: "x", type: "direct" })
  for (const [change, explanation] of CHANGES) {
    client.send("exchange.declare", 1, { exchange: "x", type: "direct", ...change })
    await client.expectChannelClose(1, {
      code: 406,
      text: `PRECONDITION_FAILED - ${explanation}`,
      method: "exchange.declare",
    })
    await client.openChannel(1)
  }
})

wireTest("declaring again with other arguments is refused with 406", async (wire) => {
  const client = await wire.channel()
  await client.call("exchange.declare", 1, { exchange: "x", type: "direct" })
  client.send("exchange.declare", 1, {
    exchange: "x",
    type: "direct",
    arguments: table({ "alternate-exchange": "y" }),
  })
  await client.expectChannelClose(1, {
    code: 406,
    text: /^PRECONDITION_FAILED - inequivalent arg 'alternate-exchange' for exchange 'x' in vhost '\/': /,
    method: "exchange.declare",
  })
})

wireTest("passive declare finds or misses, and compares nothing", async (wire) => {
  const client = await wire.channel()
  await client.call("exchange.declare", 1, { exchange: "x", type: "direct" })
  await client.call("exchange.declare", 1, {
    exchange: "x",
    type: "topic",
    durable: true,
    passive: true,
  })
  client.send("exchange.declare", 1, { exchange: "missing", passive: true })
  await client.expectChannelClose(1, {
    code: 404,
    text: "NOT_FOUND - no exchange 'missing' in vhost '/'",
    method: "exchange.declare",
  })
})

wireTest("the default exchange cannot be declared, not even passively", async (wire) => {
  const client = await wire.channel()
  client.send("exchange.declare", 1, { exchange: "", type: "direct", passive: true })
  await client.expectChannelClose(1, {
    code: 403,
    text: "ACCESS_REFUSED - operation not permitted on the default exchange",
    method: "exchange.declare",
  })
})

wireTest("arguments of an exchange that nobody knows may differ", async (wire) => {
  const client = await wire.channel()
  for (const value of ["a", "b"])
    await client.call("exchange.declare", 1, {
      exchange: "x",
      type: "direct",
      arguments: table({ "nobody-knows": value }),
    })
})

const REFUSALS = [
  {
    exchange: "x",
    type: "no-such",
    code: 406,
    text: "PRECONDITION_FAILED - unknown exchange type 'no-such'",
  },
  {
    exchange: "amq.mine",
    type: "direct",
    code: 403,
    text: "ACCESS_REFUSED - exchange name 'amq.mine' contains reserved prefix 'amq.*'",
  },
  {
    exchange: "",
    type: "direct",
    code: 403,
    text: "ACCESS_REFUSED - operation not permitted on the default exchange",
  },
  { exchange: "line\nbreak", type: "direct", code: 406, text: /^PRECONDITION_FAILED - / },
]

wireTest("unknown types, reserved and broken names are refused", async (wire) => {
  const client = await wire.channel()
  for (const { exchange, type, code, text: explanation } of REFUSALS) {
    client.send("exchange.declare", 1, { exchange, type })
    await client.expectChannelClose(1, { code, text: explanation, method: "exchange.declare" })
    await client.openChannel(1)
  }
})

wireTest("system exchanges cannot be deleted", async (wire) => {
  const client = await wire.channel()
  for (const [exchange, explanation] of [
    ["amq.direct", "deletion of system exchange 'amq.direct' in vhost '/' not allowed"],
    ["", "operation not permitted on the default exchange"],
  ] as const) {
    client.send("exchange.delete", 1, { exchange })
    await client.expectChannelClose(1, {
      code: 403,
      text: `ACCESS_REFUSED - ${explanation}`,
      method: "exchange.delete",
    })
    await client.openChannel(1)
  }
})

wireTest("deleting what is not there is no error", async (wire) => {
  const client = await wire.channel()
  await client.call("exchange.delete", 1, { exchange: "missing" })
})

wireTest("delete if-unused heeds bindings of which the exchange is the source", async (wire) => {
  const client = await wire.channel()
  await client.call("exchange.declare", 1, { exchange: "x", type: "fanout" })
  await declare(client, "q")
  await client.call("queue.bind", 1, { queue: "q", exchange: "x" })
  client.send("exchange.delete", 1, { exchange: "x", ifUnused: true })
  await client.expectChannelClose(1, {
    code: 406,
    text: "PRECONDITION_FAILED - exchange 'x' in vhost '/' in use",
    method: "exchange.delete",
  })
  await client.openChannel(1)
  await client.call("queue.unbind", 1, { queue: "q", exchange: "x" })
  await client.call("exchange.delete", 1, { exchange: "x", ifUnused: true })
  client.send("exchange.declare", 1, { exchange: "x", passive: true })
  await client.expectChannelClose(1, { code: 404 })
})

wireTest(
  "a deleted exchange takes its bindings along, as source and as destination",
  async (wire) => {
    const client = await wire.channel()
    await declare(client, "q")
    await client.call("exchange.declare", 1, { exchange: "front", type: "fanout" })
    const build = async (): Promise<void> => {
      await client.call("exchange.declare", 1, { exchange: "back", type: "fanout" })
      await client.call("exchange.bind", 1, { destination: "back", source: "front" })
    }
    await build()
    await client.call("queue.bind", 1, { queue: "q", exchange: "back" })
    await client.call("exchange.delete", 1, { exchange: "back" })
    await build()
    await publishAndWait(client, { exchange: "front", body: text("x") })
    assert.deepEqual(await drain(client, "q"), [])
    await client.call("exchange.delete", 1, { exchange: "back" })
    await publishAndWait(client, { exchange: "front", body: text("x") })
  },
)

wireTest("publishing to a deleted exchange is refused with 404", async (wire) => {
  const client = await wire.channel()
  await client.call("exchange.declare", 1, { exchange: "x", type: "fanout" })
  await publishAndWait(client, { exchange: "x" })
  await client.call("exchange.delete", 1, { exchange: "x" })
  client.publish(1, { exchange: "x" })
  await client.expectChannelClose(1, {
    code: 404,
    text: "NOT_FOUND - no exchange 'x' in vhost '/'",
    method: "basic.publish",
  })
})

wireTest(
  "an auto-delete exchange goes with its last binding, and not before it had one",
  async (wire) => {
    const client = await wire.channel()
    await client.call("exchange.declare", 1, { exchange: "x", type: "fanout", autoDelete: true })
    await client.call("exchange.declare", 1, { exchange: "x", passive: true })
    await declare(client, "q1")
    await declare(client, "q2")
    for (const queue of ["q1", "q2"]) await client.call("queue.bind", 1, { queue, exchange: "x" })
    await client.call("queue.unbind", 1, { queue: "q1", exchange: "x" })
    await client.call("exchange.declare", 1, { exchange: "x", passive: true })
    await client.call("queue.unbind", 1, { queue: "q2", exchange: "x" })
    client.send("exchange.declare", 1, { exchange: "x", passive: true })
    await client.expectChannelClose(1, { code: 404 })
  },
)

wireTest(
  "deleting the queue or unbinding an exchange triggers auto-delete, in chains too",
  async (wire) => {
    const client = await wire.channel()
    await declare(client, "q")
    for (const exchange of ["a", "b"])
      await client.call("exchange.declare", 1, { exchange, type: "fanout", autoDelete: true })
    await client.call("exchange.bind", 1, { source: "a", destination: "b" })
    await client.call("queue.bind", 1, { queue: "q", exchange: "b" })
    await client.call("queue.delete", 1, { queue: "q" })
    for (const exchange of ["b", "a"]) {
      client.send("exchange.declare", 1, { exchange, passive: true })
      await client.expectChannelClose(1, { code: 404 })
      await client.openChannel(1)
    }
  },
)

wireTest(
  "being only a destination does not keep or delete an auto-delete exchange",
  async (wire) => {
    const client = await wire.channel()
    await client.call("exchange.declare", 1, { exchange: "a", type: "fanout" })
    await client.call("exchange.declare", 1, { exchange: "b", type: "fanout", autoDelete: true })
    await client.call("exchange.bind", 1, { source: "a", destination: "b" })
    await client.call("exchange.unbind", 1, { source: "a", destination: "b" })
    await client.call("exchange.declare", 1, { exchange: "b", passive: true })
  },
)

wireTest(
  "an internal exchange refuses publishes and still routes what it is given",
  async (wire) => {
    const client = await wire.channel()
    await client.call("exchange.declare", 1, { exchange: "inner", type: "fanout", internal: true })
    await client.call("exchange.declare", 1, { exchange: "outer", type: "fanout" })
    await client.call("exchange.bind", 1, { source: "outer", destination: "inner" })
    await declare(client, "q")
    await client.call("queue.bind", 1, { queue: "q", exchange: "inner" })
    await publishAndWait(client, { exchange: "outer", body: text("via") })
    assert.equal((await get(client, "q"))?.body.toString(), "via")
    client.publish(1, { exchange: "inner" })
    await client.expectChannelClose(1, {
      code: 403,
      text: "ACCESS_REFUSED - cannot publish to internal exchange 'inner' in vhost '/'",
      method: "basic.publish",
    })
  },
)

wireTest("nowait sends no reply, but an error still closes the channel", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  client.send("exchange.declare", 1, { exchange: "x", type: "fanout", nowait: true })
  client.send("exchange.declare", 1, { exchange: "y", type: "fanout", nowait: true })
  client.send("exchange.bind", 1, { source: "x", destination: "y", nowait: true })
  client.send("queue.bind", 1, { queue: "q", exchange: "y", nowait: true })
  await client.expectQuiet(1)
  await consume(client, "q", { noAck: true })
  client.publish(1, { exchange: "x", body: text("a") })
  assert.deepEqual(await receiveBodies(client, 1), ["a"])
  client.send("exchange.unbind", 1, { source: "x", destination: "y", nowait: true })
  client.send("exchange.delete", 1, { exchange: "x", nowait: true })
  await client.expectQuiet(1)
  client.send("exchange.declare", 1, { exchange: "z", type: "nonsense", nowait: true })
  await client.expectChannelClose(1, { code: 406, method: "exchange.declare" })
})
