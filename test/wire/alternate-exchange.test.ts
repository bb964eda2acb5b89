import assert from "node:assert/strict"
import { MemoryDisk } from "../../src/storage/memory-disk.ts"
import {
  bindQueue,
  declareExchange,
  expectReturned,
  reached,
  refused,
  refusedExchange,
} from "./exchange-support.ts"
import { declare, drain, table, text, wireTest } from "./harness.ts"

for (const argument of ["alternate-exchange", "x-alternate-exchange"])
  wireTest(`${argument} gets what matches nothing, and only that`, async (wire) => {
    const client = await wire.channel()
    await declareExchange(client, "rest", "fanout")
    await declareExchange(client, "e", "direct", { [argument]: "rest" })
    await bindQueue(client, "rest", "unmatched")
    await bindQueue(client, "e", "matched", "k")
    const queues = ["matched", "unmatched"]
    assert.deepEqual(await reached(client, "e", "k", queues), ["matched"])
    assert.deepEqual(await reached(client, "e", "other", queues), ["unmatched"])
  })

wireTest("alternates form chains of any exchange type and end in cycles", async (wire) => {
  const client = await wire.channel()
  await declareExchange(client, "a", "topic", { "alternate-exchange": "b" })
  await declareExchange(client, "b", "headers", { "alternate-exchange": "c" })
  await declareExchange(client, "c", "direct", { "alternate-exchange": "a" })
  await bindQueue(client, "a", "qa", "a.#")
  await bindQueue(client, "b", "qb", "", table({ n: 1 }))
  await bindQueue(client, "c", "qc", "c")
  const queues = ["qa", "qb", "qc"]
  assert.deepEqual(await reached(client, "a", "a.x", queues), ["qa"])
  const headers = table({ n: 1 })
  assert.deepEqual(await reached(client, "a", "c", queues, { headers }), ["qb"])
  assert.deepEqual(await reached(client, "a", "c", queues), ["qc"])
  assert.deepEqual(await reached(client, "a", "nowhere", queues), [])
})

wireTest("a match of any kind keeps the message from the alternate", async (wire) => {
  const client = await wire.channel()
  await declareExchange(client, "rest", "fanout")
  await declareExchange(client, "dead-end", "direct")
  await declareExchange(client, "e", "fanout", { "alternate-exchange": "rest" })
  await bindQueue(client, "rest", "unmatched")
  await client.call("exchange.bind", 1, { source: "e", destination: "dead-end" })
  assert.deepEqual(await reached(client, "e", "k", ["unmatched"]), [])
  await client.call("exchange.unbind", 1, { source: "e", destination: "dead-end" })
  assert.deepEqual(await reached(client, "e", "k", ["unmatched"]), ["unmatched"])
})

wireTest("an alternate behind a binding of exchanges is followed", async (wire) => {
  const client = await wire.channel()
  await declareExchange(client, "rest", "fanout")
  await declareExchange(client, "back", "direct", { "alternate-exchange": "rest" })
  await declareExchange(client, "front", "fanout")
  await client.call("exchange.bind", 1, { source: "front", destination: "back" })
  await bindQueue(client, "rest", "unmatched")
  assert.deepEqual(await reached(client, "front", "k", ["unmatched"]), ["unmatched"])
})

wireTest("an alternate that does not exist is ignored, until it does", async (wire) => {
  const client = await wire.channel()
  await declareExchange(client, "e", "fanout", { "alternate-exchange": "later" })
  await client.call("confirm.select", 1)
  client.publish(1, { exchange: "e", mandatory: true, body: text("m") })
  await expectReturned(client)
  await declareExchange(client, "later", "fanout")
  await bindQueue(client, "later", "q")
  client.publish(1, { exchange: "e", mandatory: true, body: text("m") })
  await client.expect("basic.ack", 1)
  assert.deepEqual(await drain(client, "q"), ["m"])
})

wireTest("mandatory asks after the alternate had its turn", async (wire) => {
  const client = await wire.channel()
  await declareExchange(client, "rest", "direct")
  await declareExchange(client, "e", "direct", { "alternate-exchange": "rest" })
  await bindQueue(client, "rest", "q", "k")
  await client.call("confirm.select", 1)
  client.publish(1, { exchange: "e", routingKey: "k", mandatory: true, body: text("m") })
  await client.expect("basic.ack", 1)
  client.publish(1, { exchange: "e", routingKey: "none", mandatory: true, body: text("m") })
  await expectReturned(client)
})

wireTest("an internal exchange may be an alternate", async (wire) => {
  const client = await wire.channel()
  await client.call("exchange.declare", 1, { exchange: "rest", type: "fanout", internal: true })
  await declareExchange(client, "e", "fanout", { "alternate-exchange": "rest" })
  await bindQueue(client, "rest", "q")
  assert.deepEqual(await reached(client, "e", "k", ["q"]), ["q"])
})

wireTest("the name of an alternate is a string, and part of what an exchange is", async (wire) => {
  const client = await wire.channel()
  for (const name of ["alternate-exchange", "x-alternate-exchange"])
    await refusedExchange(
      client,
      "e",
      "fanout",
      { [name]: 1 },
      `invalid type 'signedint' for arg '${name}' in exchange 'e' in vhost '/'`,
    )
  await declareExchange(client, "e", "fanout", { "alternate-exchange": "rest" })
  await declareExchange(client, "e", "fanout", { "alternate-exchange": "rest" })
  await refusedExchange(
    client,
    "e",
    "fanout",
    { "alternate-exchange": "other" },
    "inequivalent arg 'alternate-exchange' for exchange 'e' in vhost '/': received 'other' but current is 'rest'",
  )
  client.send("exchange.declare", 1, { exchange: "e", type: "fanout" })
  await refused(
    client,
    "inequivalent arg 'alternate-exchange' for exchange 'e' in vhost '/': received none but current is the value 'rest' of type 'longstr'",
    "exchange.declare",
  )
})

wireTest("an alternate takes the permission to read here and to write there", async (wire) => {
  const { users } = wire.broker()
  await users.put("app", { password: "app" })
  const owner = await wire.channel()
  await declareExchange(owner, "existing", "fanout", { "alternate-exchange": "rest" })
  for (const [read, write, verb, exchange] of [
    ["^$", ".*", "read", "e"],
    [".*", "^$", "write", "rest"],
  ] as const) {
    await users.setPermissions("app", "/", { configure: ".*", read, write })
    const client = await wire.open({ user: "app", password: "app" })
    await client.openChannel(1)
    for (const argument of ["alternate-exchange", "x-alternate-exchange"]) {
      const args = table({ [argument]: "rest" })
      client.send("exchange.declare", 1, { exchange: "e", type: "fanout", arguments: args })
      await client.expectChannelClose(1, {
        code: 403,
        text: `ACCESS_REFUSED - ${verb} access to exchange '${exchange}' in vhost '/' refused for user 'app'`,
        method: "exchange.declare",
      })
      await client.openChannel(1)
    }
    await declareExchange(client, "existing", "fanout", { "alternate-exchange": "rest" })
    await declareExchange(client, "without", "fanout")
  }
})

wireTest("an alternate by policy comes and goes with it, and an argument wins", async (wire) => {
  const client = await wire.channel()
  for (const name of ["by-policy", "by-argument"]) {
    await declareExchange(client, name, "fanout")
    await bindQueue(client, name, name)
  }
  await declareExchange(client, "e.plain", "direct")
  await declareExchange(client, "e.own", "direct", { "alternate-exchange": "by-argument" })
  const queues = ["by-policy", "by-argument"]
  assert.deepEqual(await reached(client, "e.plain", "k", queues), [])
  const { policies } = wire.broker().vhosts.get("/")!
  await policies.set("p", {
    pattern: "^e\\.",
    applyTo: "exchanges",
    priority: 0,
    definition: { "alternate-exchange": "by-policy" },
  })
  assert.deepEqual(await reached(client, "e.plain", "k", queues), ["by-policy"])
  assert.deepEqual(await reached(client, "e.own", "k", queues), ["by-argument"])
  await declareExchange(client, "e.new", "direct")
  assert.deepEqual(await reached(client, "e.new", "k", queues), ["by-policy"])
  await policies.delete("p")
  assert.deepEqual(await reached(client, "e.plain", "k", queues), [])
})

wireTest(
  "an alternate survives a restart",
  async (wire) => {
    const before = await wire.channel()
    await declareExchange(before, "rest", "fanout", {}, true)
    await declareExchange(before, "e", "direct", { "alternate-exchange": "rest" }, true)
    await declare(before, "q", { durable: true })
    await before.call("queue.bind", 1, { queue: "q", exchange: "rest" })
    await wire.restart()
    const after = await wire.channel()
    assert.deepEqual(await reached(after, "e", "k", ["q"]), ["q"])
  },
  { disk: new MemoryDisk() },
)
