import assert from "node:assert/strict"
import {
  consume,
  countsOf,
  declare,
  deliveries,
  drain,
  get,
  publishTo,
  table,
  text,
  wireTest,
} from "./harness.ts"

const LOCKED =
  "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in vhost '/'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration."

wireTest("a server-named queue has a fresh amq.gen- name", async (wire) => {
  const client = await wire.channel()
  const names = new Set<string>()
  for (let i = 0; i < 50; i++) names.add(await declare(client, ""))
  assert.equal(names.size, 50)
  for (const name of names) assert.match(name, /^amq\.gen-[A-Za-z0-9_-]{22}$/)
  // Found again passively only: the prefix is reserved.
  const [name = ""] = names
  await countsOf(client, name)
  client.send("queue.declare", 1, { queue: name })
  await client.expectChannelClose(1, { code: 403, method: "queue.declare" })
})

wireTest("declaring again with equal attributes gives the counts", async (wire) => {
  const client = await wire.channel(2)
  await declare(client, "q", { durable: true, arguments: { "x-max-length": 10, note: "x" } })
  publishTo(client, "q", "a", "b", "c")
  await get(client, "q", { noAck: false })
  await consume(client, "q", { channel: 2 })
  await deliveries(client, 2, 2)
  await client.call("channel.close", 2, { replyCode: 200 })
  const reply = await client.call("queue.declare", 1, {
    queue: "q",
    durable: true,
    // The width of integers is nothing.
    arguments: table({ note: "x", "x-max-length": 10n }),
  })
  assert.deepEqual([reply.messageCount, reply.consumerCount], [2, 0])
})

wireTest("declare-ok counts ready messages and consumers", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  publishTo(client, "q", "a", "b")
  assert.deepEqual(await countsOf(client, "q"), { messages: 2, consumers: 0 })
  await consume(client, "q")
  await deliveries(client, 2)
  assert.deepEqual(await countsOf(client, "q"), { messages: 0, consumers: 1 })
})

wireTest("declaring again with other attributes is refused with 406", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  for (const [change, name] of [
    [{ durable: true }, "durable"],
    [{ autoDelete: true }, "auto_delete"],
  ] as const) {
    client.send("queue.declare", 1, { queue: "q", ...change })
    await client.expectChannelClose(1, {
      code: 406,
      text: `PRECONDITION_FAILED - inequivalent arg '${name}' for queue 'q' in vhost '/': received 'true' but current is 'false'`,
      method: "queue.declare",
    })
    await client.openChannel(1)
  }
})

wireTest("declaring again with other arguments is refused with 406", async (wire) => {
  const client = await wire.channel()
  await declare(client, "without")
  await declare(client, "with", { arguments: { "x-max-length": 5 } })
  for (const [queue, args, explanation] of [
    ["without", { "x-expires": 1000 }, "the value '1000' of type 'signedint' but current is none"],
    ["with", {}, "none but current is the value '5' of type 'signedint'"],
    ["with", { "x-max-length": 6 }, "'6' but current is '5'"],
  ] as const) {
    client.send("queue.declare", 1, { queue, arguments: table(args) })
    const name = "x-expires" in args ? "x-expires" : "x-max-length"
    await client.expectChannelClose(1, {
      code: 406,
      text: `PRECONDITION_FAILED - inequivalent arg '${name}' for queue '${queue}' in vhost '/': received ${explanation}`,
      method: "queue.declare",
    })
    await client.openChannel(1)
  }
})

wireTest("x-queue-type classic equals its absence", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  await declare(client, "q", { arguments: { "x-queue-type": "classic" } })
})

wireTest("passive declare finds or misses, and compares nothing", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q", { durable: true })
  await client.call("queue.declare", 1, {
    queue: "q",
    passive: true,
    autoDelete: true,
    arguments: table({ "x-max-length": 1 }),
  })
  for (const queue of ["missing", ""]) {
    client.send("queue.declare", 1, { queue, passive: true })
    await client.expectChannelClose(1, {
      code: 404,
      text: `NOT_FOUND - no queue '${queue}' in vhost '/'`,
      method: "queue.declare",
    })
    await client.openChannel(1)
  }
})

wireTest("reserved and broken names are refused", async (wire) => {
  const client = await wire.channel()
  for (const [queue, code, explanation] of [
    ["amq.mine", 403, "ACCESS_REFUSED - queue name 'amq.mine' contains reserved prefix 'amq.*'"],
    ["line\nbreak", 406, /^PRECONDITION_FAILED - /],
    ["line\rbreak", 406, /^PRECONDITION_FAILED - /],
  ] as const) {
    client.send("queue.declare", 1, { queue })
    await client.expectChannelClose(1, { code, text: explanation, method: "queue.declare" })
    await client.openChannel(1)
  }
})

wireTest("names of 255 bytes, with spaces and other scripts, are fine", async (wire) => {
  const client = await wire.channel()
  for (const queue of ["q".repeat(255), "with space", "очередь/é", "__proto__", "constructor"]) {
    await declare(client, queue)
    publishTo(client, queue, "x")
    assert.deepEqual(await drain(client, queue), ["x"])
    await client.call("queue.delete", 1, { queue })
  }
})

wireTest("an exclusive queue is locked for other connections, whatever they try", async (wire) => {
  const owner = await wire.channel(2)
  await declare(owner, "q", { exclusive: true })
  await owner.call("queue.declare", 2, { queue: "q", exclusive: true })
  await owner.call("basic.consume", 2, { queue: "q", consumerTag: "t" })
  await owner.call("basic.cancel", 2, { consumerTag: "t" })
  const other = await wire.open()
  const attempts: readonly (readonly [Parameters<typeof other.send>[0], object])[] = [
    ["queue.declare", { queue: "q" }],
    ["queue.declare", { queue: "q", exclusive: true }],
    ["queue.declare", { queue: "q", passive: true }],
    ["queue.bind", { queue: "q", exchange: "amq.fanout" }],
    ["queue.unbind", { queue: "q", exchange: "amq.fanout" }],
    ["queue.purge", { queue: "q" }],
    ["queue.delete", { queue: "q" }],
    ["queue.delete", { queue: "q", ifUnused: true }],
    ["basic.consume", { queue: "q" }],
    ["basic.get", { queue: "q" }],
  ]
  for (const [method, args] of attempts) {
    await other.openChannel(1)
    other.send(method, 1, args)
    await other.expectChannelClose(1, { code: 405, text: LOCKED, method })
  }
})

wireTest("a changed exclusive flag on one's own queue is refused with 405", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q", { exclusive: true })
  client.send("queue.declare", 1, { queue: "q" })
  await client.expectChannelClose(1, { code: 405, text: LOCKED, method: "queue.declare" })
  await client.openChannel(1)
  await client.call("queue.delete", 1, { queue: "q" })
  await declare(client, "q")
  client.send("queue.declare", 1, { queue: "q", exclusive: true })
  await client.expectChannelClose(1, { code: 405, text: LOCKED, method: "queue.declare" })
})

wireTest("an exclusive queue ends with its connection, not with a channel", async (wire) => {
  const owner = await wire.channel()
  const other = await wire.channel()
  for (const queue of ["q1", "q2", "q3"]) await declare(owner, queue, { exclusive: true })
  await owner.call("channel.close", 1, { replyCode: 200 })
  await owner.openChannel(1)
  await countsOf(owner, "q1")
  await owner.reset()
  for (const queue of ["q1", "q2", "q3"]) {
    // The broker may not have seen the reset yet; it has when the name is free.
    for (;;) {
      other.send("queue.declare", 1, { queue })
      const reply = await other.next(1)
      if (reply.name === "queue.declare-ok") break
      assert.equal(reply.args["replyCode"], 405)
      other.send("channel.close-ok", 1)
      await other.openChannel(1)
    }
  }
})

wireTest("an auto-delete queue goes with its last consumer, however that leaves", async (wire) => {
  const client = await wire.channel(3)
  const isGone = async (queue: string): Promise<void> => {
    client.send("queue.declare", 1, { queue, passive: true })
    await client.expectChannelClose(1, { code: 404 })
    await client.openChannel(1)
  }
  await declare(client, "q", { autoDelete: true })
  const tags = [await consume(client, "q"), await consume(client, "q", { channel: 2 })]
  await client.call("basic.cancel", 1, { consumerTag: tags[0] ?? "" })
  await countsOf(client, "q")
  await client.call("basic.cancel", 2, { consumerTag: tags[1] ?? "" })
  await isGone("q")
  await declare(client, "q", { autoDelete: true })
  await consume(client, "q", { channel: 3 })
  await client.call("channel.close", 3, { replyCode: 200 })
  await isGone("q")
  const other = await wire.channel()
  await declare(client, "q", { autoDelete: true })
  await consume(other, "q")
  await other.close()
  await isGone("q")
})

wireTest(
  "an auto-delete queue that never had a consumer stays, and get does not count",
  async (wire) => {
    const client = await wire.channel()
    await declare(client, "q", { autoDelete: true })
    publishTo(client, "q", "a")
    await get(client, "q")
    await get(client, "q")
    await client.close()
    const other = await wire.channel()
    assert.equal((await countsOf(other, "q")).messages, 0)
  },
)

wireTest("delete gives the count of ready messages; a missing queue is no error", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  publishTo(client, "q", "a", "b", "c")
  await get(client, "q", { noAck: false })
  assert.equal((await client.call("queue.delete", 1, { queue: "q" })).messageCount, 2)
  assert.equal((await client.call("queue.delete", 1, { queue: "q" })).messageCount, 0)
})

wireTest("delete if-unused and if-empty are refused with 406", async (wire) => {
  const client = await wire.channel(2)
  await declare(client, "q")
  publishTo(client, "q", "a")
  client.send("queue.delete", 1, { queue: "q", ifEmpty: true })
  await client.expectChannelClose(1, {
    code: 406,
    text: "PRECONDITION_FAILED - queue 'q' in vhost '/' not empty",
    method: "queue.delete",
  })
  await client.openChannel(1)
  await consume(client, "q", { channel: 2, noAck: true, consumerTag: "t" })
  await deliveries(client, 1, 2)
  client.send("queue.delete", 1, { queue: "q", ifUnused: true })
  await client.expectChannelClose(1, {
    code: 406,
    text: "PRECONDITION_FAILED - queue 'q' in vhost '/' in use",
    method: "queue.delete",
  })
  await client.openChannel(1)
  await client.call("basic.cancel", 2, { consumerTag: "t" })
  await client.call("queue.delete", 1, { queue: "q", ifUnused: true, ifEmpty: true })
})

wireTest("deleting a queue cancels its consumers", async (wire) => {
  const client = await wire.channel(2)
  await declare(client, "q")
  await consume(client, "q", { channel: 2, consumerTag: "t" })
  await client.call("queue.delete", 1, { queue: "q" })
  const cancel = await client.expect("basic.cancel", 2)
  assert.deepEqual([cancel.consumerTag, cancel.nowait], ["t", true])
  client.send("basic.cancel-ok", 2, { consumerTag: "t" })
  // The tag is free again.
  await declare(client, "q")
  await consume(client, "q", { channel: 2, consumerTag: "t" })
})

wireTest("a client without consumer_cancel_notify is not told", async (wire) => {
  const client = await wire.open({ capabilities: {} })
  await client.openChannel(1)
  await declare(client, "q")
  await consume(client, "q")
  await client.call("queue.delete", 1, { queue: "q" })
  await client.expectQuiet(1)
})

wireTest("settling deliveries of a queue deleted meanwhile is harmless", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  publishTo(client, "q", "a", "b", "c")
  for (let i = 0; i < 3; i++) await get(client, "q", { noAck: false })
  await client.call("queue.delete", 1, { queue: "q" })
  client.send("basic.ack", 1, { deliveryTag: 1 })
  client.send("basic.reject", 1, { deliveryTag: 2, requeue: true })
  client.send("basic.nack", 1, { deliveryTag: 3 })
  await client.expectQuiet(1)
})

wireTest(
  "purge removes ready messages, leaves unacknowledged ones and gives the count",
  async (wire) => {
    const client = await wire.channel()
    await declare(client, "q")
    publishTo(client, "q", "held", "a", "b")
    await get(client, "q", { noAck: false })
    assert.equal((await client.call("queue.purge", 1, { queue: "q" })).messageCount, 2)
    assert.equal((await client.call("queue.purge", 1, { queue: "q" })).messageCount, 0)
    client.send("basic.nack", 1, { deliveryTag: 1, requeue: true })
    assert.deepEqual(await drain(client, "q"), ["held"])
    publishTo(client, "q", "after")
    assert.deepEqual(await drain(client, "q"), ["after"])
  },
)

wireTest("purging a missing queue is refused with 404", async (wire) => {
  const client = await wire.channel()
  client.send("queue.purge", 1, { queue: "missing" })
  await client.expectChannelClose(1, {
    code: 404,
    text: "NOT_FOUND - no queue 'missing' in vhost '/'",
    method: "queue.purge",
  })
})

wireTest(
  "an empty name means the queue declared last, for every method that takes one",
  async (wire) => {
    const client = await wire.channel()
    await declare(client, "other")
    await declare(client, "last")
    publishTo(client, "last", "a", "b", "c")
    assert.equal((await get(client, ""))?.body.toString(), "a")
    assert.equal((await client.call("queue.purge", 1, { queue: "" })).messageCount, 2)
    await consume(client, "", { noAck: true, consumerTag: "t" })
    publishTo(client, "last", "d")
    assert.equal((await deliveries(client, 1))[0]?.body.toString(), "d")
    await client.call("basic.cancel", 1, { consumerTag: "t" })
    await client.call("queue.delete", 1, { queue: "" })
    client.send("queue.declare", 1, { queue: "last", passive: true })
    await client.expectChannelClose(1, { code: 404 })
  },
)

wireTest("an empty name with no queue declared is refused with 404 everywhere", async (wire) => {
  const client = await wire.channel()
  for (const method of [
    "queue.purge",
    "queue.delete",
    "queue.bind",
    "queue.unbind",
    "basic.get",
    "basic.consume",
  ] as const) {
    client.send(method, 1, { queue: "" })
    await client.expectChannelClose(1, {
      code: 404,
      text: "NOT_FOUND - no previously declared queue",
      method,
    })
    await client.openChannel(1)
  }
})

const BAD_ARGUMENTS = [
  { "x-expires": 0 },
  { "x-expires": -1 },
  { "x-expires": "1000" },
  { "x-message-ttl": -1 },
  { "x-message-ttl": "1000" },
  { "x-max-length": -1 },
  { "x-max-length": "10" },
  { "x-max-length-bytes": -1 },
  { "x-overflow": "overflow" },
  { "x-overflow": 1 },
  { "x-dead-letter-exchange": 5 },
  { "x-dead-letter-routing-key": "k" },
  { "x-max-priority": -1 },
  { "x-max-priority": 256 },
  { "x-max-priority": "5" },
  { "x-queue-type": "no-such-type" },
  { "x-single-active-consumer": "yes" },
]

wireTest(
  "arguments of a wrong type or range are refused with 406 and declare nothing",
  async (wire) => {
    const client = await wire.channel()
    for (const args of BAD_ARGUMENTS) {
      client.send("queue.declare", 1, { queue: "q", arguments: table(args) })
      await client.expectChannelClose(1, {
        code: 406,
        text: /^PRECONDITION_FAILED - invalid/,
        method: "queue.declare",
      })
      await client.openChannel(1)
    }
    client.send("queue.declare", 1, { queue: "q", passive: true })
    await client.expectChannelClose(1, { code: 404 })
  },
)

wireTest("unknown arguments are kept and mean nothing", async (wire) => {
  const client = await wire.channel()
  const args = { "x-unknown": [1, { a: null }], plain: true }
  await declare(client, "q", { arguments: args })
  await declare(client, "q", { arguments: args })
})

wireTest("nowait sends no reply for queue methods, but errors close the channel", async (wire) => {
  const client = await wire.channel()
  client.send("queue.declare", 1, { queue: "q", nowait: true })
  client.send("queue.bind", 1, { queue: "q", exchange: "amq.fanout", nowait: true })
  await client.expectQuiet(1)
  client.publish(1, { exchange: "amq.fanout", body: text("x") })
  client.send("queue.purge", 1, { queue: "q", nowait: true })
  await client.expectQuiet(1)
  assert.equal((await countsOf(client, "q")).messages, 0)
  client.send("queue.delete", 1, { queue: "q", nowait: true })
  await client.expectQuiet(1)
  client.send("queue.declare", 1, { queue: "q", passive: true, nowait: true })
  await client.expectChannelClose(1, { code: 404, method: "queue.declare" })
})

wireTest("a server-named queue declared with nowait is the last declared one", async (wire) => {
  const client = await wire.channel()
  client.send("queue.declare", 1, { queue: "", exclusive: true, nowait: true })
  const { consumerTag } = await client.call("basic.consume", 1, { queue: "" })
  assert.notEqual(consumerTag, "")
})

wireTest(
  "gets, publishes and deletes that race never end in more than an empty get",
  async (wire) => {
    const first = await wire.channel()
    const second = await wire.channel()
    for (let i = 0; i < 50; i++) {
      await declare(first, "q")
      publishTo(first, "q", "x")
      first.send("queue.delete", 1, { queue: "q" })
      second.send("basic.get", 1, { queue: "q", noAck: true })
      second.publish(1, { routingKey: "q", body: text("y") })
      await first.expect("queue.delete-ok", 1)
      const reply = await second.next(1)
      if (reply.name === "channel.close") {
        assert.equal(reply.args["replyCode"], 404)
        second.send("channel.close-ok", 1)
        await second.openChannel(1)
      } else assert.ok(["basic.get-ok", "basic.get-empty"].includes(reply.name), reply.name)
    }
  },
)
