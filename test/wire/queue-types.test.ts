import assert from "node:assert/strict"
import type { PlainRecord } from "../../src/amqp/table.ts"
import { Stream } from "../../src/broker/stream/stream.ts"
import { MemoryDisk } from "../../src/storage/memory-disk.ts"
import { silentLogger } from "../../src/util/logger.ts"
import type { WireClient } from "../support/wire-client.ts"
import { consume, countsOf, declare, drain, publishTo, table, wireTest } from "./harness.ts"

/** x-queue-type: what each type refuses, and what is equal when a queue is declared again. */

const QUORUM = { "x-queue-type": "quorum" }

interface Flags {
  readonly durable?: boolean
  readonly exclusive?: boolean
  readonly autoDelete?: boolean
}

function invalidProperty(what: string): string {
  return `invalid property '${what}' for queue 'q' in vhost '/'`
}

async function refused(
  client: WireClient,
  queue: string,
  args: PlainRecord,
  explanation: string,
  flags: Flags = { durable: true },
): Promise<void> {
  client.send("queue.declare", 1, { queue, ...flags, arguments: table(args) })
  await client.expectChannelClose(1, {
    code: 406,
    text: `PRECONDITION_FAILED - ${explanation}`,
    method: "queue.declare",
  })
  await client.openChannel(1)
}

wireTest("every type is declared, and found again with its type", async (wire) => {
  const client = await wire.channel()
  for (const type of ["classic", "quorum"]) {
    const args = { "x-queue-type": type }
    await declare(client, type, { durable: true, arguments: args })
    await declare(client, type, { durable: true, arguments: args })
    publishTo(client, type, "a", "b")
    assert.deepEqual(await drain(client, type), ["a", "b"])
  }
})

wireTest(
  "types survive a restart",
  async (wire) => {
    const client = await wire.channel()
    for (const type of ["classic", "quorum", "stream"])
      await declare(client, type, { durable: true, arguments: { "x-queue-type": type } })
    await wire.restart()
    assert.equal(wire.vhost.queues.get("quorum")?.settings.deliveryLimit, 20)
    assert.ok(wire.vhost.queues.get("stream") instanceof Stream)
    const after = await wire.channel()
    for (const type of ["classic", "quorum", "stream"])
      await declare(after, type, { durable: true, arguments: { "x-queue-type": type } })
  },
  { disk: new MemoryDisk() },
)

wireTest("an unknown type is refused", async (wire) => {
  const client = await wire.channel()
  const start = "invalid arg 'x-queue-type' for queue 'q' in vhost '/': "
  await refused(client, "q", { "x-queue-type": "fast" }, `${start}"unsupported queue type 'fast'"`)
  await refused(client, "q", { "x-queue-type": 5 }, `${start}{unacceptable_type,signedint}`)
})

wireTest("quorum queues and streams refuse what they cannot be", async (wire) => {
  const client = await wire.channel()
  for (const type of ["quorum", "stream"]) {
    const args = { "x-queue-type": type }
    await refused(client, "q", args, invalidProperty("non-durable"), {})
    await refused(client, "q", args, invalidProperty("exclusive-owner"), {
      durable: true,
      exclusive: true,
    })
    await refused(client, "q", args, invalidProperty("auto-delete"), {
      durable: true,
      autoDelete: true,
    })
    await refused(
      client,
      "",
      args,
      `Cannot declare a server-named queue for type rabbit_${type}_queue`,
    )
  }
})

wireTest("quorum queues refuse a prefetch of the whole channel", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q", { durable: true, arguments: QUORUM })
  await client.call("basic.qos", 1, { prefetchCount: 5, global: true })
  client.send("basic.consume", 1, { queue: "q" })
  await client.expectConnectionClose({
    code: 540,
    text: "NOT_IMPLEMENTED - queue 'q' in vhost '/' does not support global qos",
    method: "basic.consume",
  })
})

wireTest("arguments that a type does not have are refused", async (wire) => {
  const client = await wire.channel()
  const cases = [
    ["quorum", { "x-max-priority": 5 }],
    ["quorum", { "x-queue-mode": "lazy" }],
    ["quorum", { "x-overflow": "reject-publish-dlx" }],
    ["quorum", { "x-max-age": "1h" }],
    ["stream", { "x-expires": 1000 }],
    ["stream", { "x-message-ttl": 1000 }],
    ["stream", { "x-dead-letter-exchange": "d" }],
    ["stream", { "x-max-priority": 5 }],
    ["stream", { "x-overflow": "drop-head" }],
    ["stream", { "x-single-active-consumer": true }],
    ["stream", { "x-delivery-limit": 5 }],
  ] as const
  for (const [type, args] of cases) {
    const name = Object.keys(args)[0]!
    await refused(
      client,
      "q",
      { "x-queue-type": type, ...args },
      `invalid arg '${name}' for queue 'q' in vhost '/' of queue type rabbit_${type}_queue`,
    )
  }
})

wireTest("arguments without effect are accepted and kept", async (wire) => {
  const client = await wire.channel()
  const args = {
    "x-queue-leader-locator": "balanced",
    "x-queue-master-locator": "min-masters",
    "x-initial-cluster-size": 3,
  }
  const quorum = {
    ...args,
    ...QUORUM,
    "x-quorum-initial-group-size": 3,
    "x-quorum-target-group-size": 5,
    "x-dead-letter-strategy": "at-least-once",
    "x-max-in-memory-length": 10,
  }
  const classic = { ...args, "x-queue-mode": "lazy", "x-queue-version": 2, "x-whatever": "y" }
  for (const [queue, all] of [
    ["quorum", quorum],
    ["classic", classic],
  ] as const) {
    await declare(client, queue, { durable: true, arguments: all })
    await declare(client, queue, { durable: true, arguments: all })
    await refused(
      client,
      queue,
      { ...all, "x-initial-cluster-size": 4 },
      `inequivalent arg 'x-initial-cluster-size' for queue '${queue}' in vhost '/': received '4' but current is '3'`,
    )
  }
})

wireTest("a classic queue takes the arguments of the other types, as in LavinMQ", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q", { arguments: { "x-delivery-limit": 5, "x-max-age": "1h" } })
  assert.equal(wire.vhost.queues.get("q")?.settings.deliveryLimit, 5)
})

wireTest("bad values of stream arguments are refused", async (wire) => {
  const client = await wire.channel()
  for (const [name, value, what] of [
    ["x-max-age", "1x", "invalid_max_age"],
    ["x-max-age", "0D", "invalid_max_age"],
    ["x-stream-max-segment-size-bytes", 3_000_000_001, "{value_too_big,3000000001}"],
    ["x-stream-max-segment-size-bytes", -1, "{value_negative,-1}"],
    ["x-stream-filter-size-bytes", 15, "{invalid_filter_size,15}"],
    ["x-initial-cluster-size", 0, "{value_zero,0}"],
  ] as const)
    await refused(
      client,
      "q",
      { "x-queue-type": "stream", [name]: value },
      `invalid arg '${name}' for queue 'q' in vhost '/': ${what}`,
    )
})

wireTest("classic is what a queue without a type is; quorum is not", async (wire) => {
  const client = await wire.channel()
  await declare(client, "a", { durable: true })
  await declare(client, "a", { durable: true, arguments: { "x-queue-type": "classic" } })
  await declare(client, "b", { durable: true, arguments: { "x-queue-type": "classic" } })
  await declare(client, "b", { durable: true })
  await refused(
    client,
    "a",
    QUORUM,
    "inequivalent arg 'x-queue-type' for queue 'a' in vhost '/': received the value 'quorum' of type 'longstr' but current is none",
  )
  await declare(client, "c", { durable: true, arguments: QUORUM })
  await refused(
    client,
    "c",
    {},
    "inequivalent arg 'x-queue-type' for queue 'c' in vhost '/': received none but current is the value 'quorum' of type 'longstr'",
  )
})

wireTest("deleting a quorum queue or stream if unused or empty gets 540", async (wire) => {
  for (const [queue, flag, name] of [
    ["quorum", "ifUnused", "if-unused"],
    ["quorum", "ifEmpty", "if-empty"],
    ["stream", "ifUnused", "if-unused"],
    ["stream", "ifEmpty", "if-empty"],
  ] as const) {
    const client = await wire.channel()
    await declare(client, queue, { durable: true, arguments: { "x-queue-type": queue } })
    client.send("queue.delete", 1, { queue, [flag]: true })
    await client.expectConnectionClose({
      code: 540,
      text: `NOT_IMPLEMENTED - cannot delete queue '${queue}' in vhost '/'. queue.delete operations with ${name} flag set are not supported by ${queue} queues`,
      method: "queue.delete",
    })
  }
  const client = await wire.channel()
  for (const queue of ["quorum", "stream"]) {
    publishTo(client, queue, "a")
    assert.equal((await client.call("queue.delete", 1, { queue })).messageCount, 1)
  }
})

const warnings: string[] = []
const logger = { ...silentLogger, warn: (_fields: object, line: string) => warnings.push(line) }

wireTest(
  "with declare_mismatch = adopt other arguments are let pass, and logged once",
  async (wire) => {
    const client = await wire.channel()
    await declare(client, "q", { durable: true, arguments: { "x-max-length": 5 } })
    publishTo(client, "q", "a")
    for (const args of [{}, { "x-max-length": 6 }, { "x-message-ttl": 1 }, QUORUM]) {
      await declare(client, "q", { durable: true, arguments: args })
      assert.equal(wire.vhost.queues.get("q")?.settings.maxLength, 5)
    }
    await declare(client, "q", { durable: true, arguments: { "x-max-length": 6 } })
    assert.equal(warnings.length, 3) // The first difference of each counts, in the order of the rules.
    assert.equal((await countsOf(client, "q")).messages, 1)
    await client.call("exchange.declare", 1, { exchange: "x", type: "fanout" })
    await client.call("exchange.declare", 1, {
      exchange: "x",
      type: "fanout",
      arguments: table({ "alternate-exchange": "y" }),
    })
    assert.equal(wire.vhost.exchanges.get("x")?.settings.alternateExchange, null)
    await consume(client, "q")
    assert.equal(warnings.length, 4)
  },
  { declareMismatch: "adopt", logger },
)

wireTest(
  "adopt lets nothing pass by which a client would misunderstand the queue",
  async (wire) => {
    const client = await wire.channel()
    await declare(client, "q", { durable: true })
    const start = "for queue 'q' in vhost '/': received"
    await refused(
      client,
      "q",
      {},
      `inequivalent arg 'durable' ${start} 'false' but current is 'true'`,
      {},
    )
    await refused(
      client,
      "q",
      {},
      `inequivalent arg 'auto_delete' ${start} 'true' but current is 'false'`,
      { durable: true, autoDelete: true },
    )
    await refused(
      client,
      "q",
      { "x-queue-type": "stream" },
      `inequivalent arg 'x-queue-type' ${start} the value 'stream' of type 'longstr' but current is none`,
    )
    client.send("queue.declare", 1, { queue: "q", durable: true, exclusive: true })
    await client.expectChannelClose(1, { code: 405, method: "queue.declare" })
    await client.openChannel(1)
    await client.call("exchange.declare", 1, { exchange: "x", type: "fanout" })
    client.send("exchange.declare", 1, { exchange: "x", type: "direct" })
    await client.expectChannelClose(1, { code: 406, method: "exchange.declare" })
  },
  { declareMismatch: "adopt" },
)
