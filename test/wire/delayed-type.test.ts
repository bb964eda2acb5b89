/** The declaration of delayed exchanges and what they route at once. Waiting is delayed.test.ts. */
import assert from "node:assert/strict"
import { MemoryDisk } from "../../src/storage/memory-disk.ts"
import {
  bindQueue,
  declareExchange,
  reached,
  refused,
  refusedExchange,
} from "./exchange-support.ts"
import { declare, table, wireTest } from "./harness.ts"

const TYPE = "x-delayed-message"

wireTest("x-delayed-type names an existing type that does not delay itself", async (wire) => {
  const client = await wire.channel()
  for (const args of [
    {},
    { "x-delayed-type": "nonsense" },
    { "x-delayed-type": "x-delayed-message" },
    { "x-delayed-type": "x-delayed-exchange" },
    { "x-delayed-type": 5 },
    { "x-delayed-type": "" },
  ])
    for (const type of [TYPE, "x-delayed-exchange"])
      await refusedExchange(
        client,
        "e",
        type,
        args,
        "Invalid argument, 'x-delayed-type' must be an existing exchange type",
      )
  for (const inner of ["direct", "fanout", "topic", "headers", "x-consistent-hash", "x-random"])
    await declareExchange(client, inner, TYPE, { "x-delayed-type": inner })
})

wireTest("bindings are those of the inner type, with its rules and errors", async (wire) => {
  const client = await wire.channel()
  await declareExchange(client, "t", TYPE, { "x-delayed-type": "topic" })
  await bindQueue(client, "t", "q", "a.*")
  assert.deepEqual(await reached(client, "t", "a.b", ["q"]), ["q"])
  assert.deepEqual(await reached(client, "t", "b", ["q"]), [])
  await declareExchange(client, "h", TYPE, { "x-delayed-type": "headers" })
  await bindQueue(client, "h", "by-header", "", table({ n: 1 }))
  const headers = table({ n: 1 })
  assert.deepEqual(await reached(client, "h", "", ["by-header"], { headers }), ["by-header"])
  assert.deepEqual(await reached(client, "h", "", ["by-header"]), [])
  await declareExchange(client, "c", TYPE, { "x-delayed-type": "x-consistent-hash" })
  client.send("queue.bind", 1, { queue: "q", exchange: "c", routingKey: "x" })
  await refused(client, 'The binding key must be an integer: <<"x">>', "queue.bind")
  await refusedExchange(
    client,
    "d",
    TYPE,
    { "x-delayed-type": "x-consistent-hash", "hash-property": "type" },
    "Unsupported property: type",
  )
})

wireTest("what has no delay is routed at once, to the alternate too", async (wire) => {
  const client = await wire.channel()
  await declareExchange(client, "rest", "fanout")
  const args = { "x-delayed-type": "direct", "alternate-exchange": "rest" }
  await declareExchange(client, "e", TYPE, args)
  await bindQueue(client, "e", "q", "k")
  await bindQueue(client, "rest", "unmatched")
  const queues = ["q", "unmatched"]
  for (const delay of [0, -5, "soon", null, true, 2 ** 32]) {
    const headers = table({ "x-delay": delay })
    assert.deepEqual(await reached(client, "e", "k", queues, { headers }), ["q"], String(delay))
  }
  assert.deepEqual(await reached(client, "e", "other", queues), ["unmatched"])
})

wireTest("the same declaration again is fine, another is refused", async (wire) => {
  const client = await wire.channel()
  await declareExchange(client, "e", TYPE, { "x-delayed-type": "direct" })
  await declareExchange(client, "e", TYPE, { "x-delayed-type": "direct" })
  await refusedExchange(
    client,
    "e",
    TYPE,
    { "x-delayed-type": "fanout" },
    "inequivalent arg 'x-delayed-type' for exchange 'e' in vhost '/': received 'fanout' but current is 'direct'",
  )
  await refusedExchange(
    client,
    "e",
    "direct",
    {},
    "inequivalent arg 'type' for exchange 'e' in vhost '/': received 'direct' but current is 'x-delayed-message'",
  )
})

wireTest("x-delayed-exchange is true or false", async (wire) => {
  const client = await wire.channel()
  await refusedExchange(
    client,
    "e",
    "direct",
    { "x-delayed-exchange": "yes" },
    "invalid arg 'x-delayed-exchange' for exchange 'e' in vhost '/': {unacceptable_type,longstr}",
  )
  await declareExchange(client, "e", "direct", { "x-delayed-exchange": true })
  await bindQueue(client, "e", "q", "k")
  assert.deepEqual(await reached(client, "e", "k", ["q"]), ["q"])
})

wireTest(
  "delayed and choosing exchanges survive a restart with their bindings",
  async (wire) => {
    const before = await wire.channel()
    const exchanges = [
      ["delayed", TYPE, { "x-delayed-type": "topic" }],
      ["alias", "x-delayed-exchange", { "x-delayed-type": "fanout" }],
      ["hash", "x-consistent-hash", { "hash-header": "h" }],
      ["modulus", "x-modulus-hash", {}],
      ["random", "x-random", {}],
      ["strict", "direct", { "x-message-deduplication": true, "x-cache-size": 5 }],
    ] as const
    await declare(before, "q", { durable: true })
    for (const [name, type, args] of exchanges) {
      await declareExchange(before, name, type, args, true)
      await before.call("queue.bind", 1, { queue: "q", exchange: name, routingKey: "1" })
    }
    await wire.restart()
    const after = await wire.channel()
    for (const [name, type, args] of exchanges) {
      await declareExchange(after, name, type, args, true)
      assert.deepEqual(await reached(after, name, "1", ["q"]), ["q"], name)
    }
    const headers = table({ "x-deduplication-header": 1 })
    assert.deepEqual(await reached(after, "strict", "1", ["q"], { headers }), ["q"])
    assert.deepEqual(await reached(after, "strict", "1", ["q"], { headers }), [])
  },
  { disk: new MemoryDisk() },
)
