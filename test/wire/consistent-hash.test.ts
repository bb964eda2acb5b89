import assert from "node:assert/strict"
import type { BasicProperties } from "../../src/amqp/properties.ts"
import { MemoryDisk } from "../../src/storage/memory-disk.ts"
import type { WireClient } from "../support/wire-client.ts"
import {
  bindQueue,
  declareExchange,
  expectReturned,
  reached,
  refused,
  refusedExchange,
} from "./exchange-support.ts"
import { countsOf, declare, drain, table, text, wireTest } from "./harness.ts"

const TYPE = "x-consistent-hash"
const COUNT = 2_000

/** Publishes many messages and gives the number that each queue got. */
async function spread(
  client: WireClient,
  exchange: string,
  queues: readonly string[],
  propertiesOf: (i: number) => BasicProperties = () => ({}),
): Promise<number[]> {
  for (let i = 0; i < COUNT; i++)
    client.publish(1, { exchange, routingKey: `key.${i}`, properties: propertiesOf(i) })
  const counts: number[] = []
  for (const queue of queues) counts.push((await countsOf(client, queue)).messages)
  return counts
}

wireTest("messages spread by weight, and equal keys go to the same queue", async (wire) => {
  const client = await wire.channel()
  await declareExchange(client, "e", TYPE)
  const queues = ["a", "b", "c"]
  for (const [i, queue] of queues.entries()) await bindQueue(client, "e", queue, String(i + 1))
  const counts = await spread(client, "e", queues)
  assert.equal(counts[0]! + counts[1]! + counts[2]!, COUNT)
  for (const [i, count] of counts.entries())
    assert.ok(Math.abs(count / COUNT - (i + 1) / 6) < 0.05, `${queues[i]} got ${count}`)
  const again = await spread(client, "e", queues)
  assert.deepEqual(
    again,
    counts.map((count) => 2 * count),
  )
})

wireTest("without a binding a message is unroutable, with one it goes there", async (wire) => {
  const client = await wire.channel()
  await declareExchange(client, "e", TYPE)
  await client.call("confirm.select", 1)
  client.publish(1, { exchange: "e", routingKey: "k", mandatory: true, body: text("m") })
  await expectReturned(client)
  await bindQueue(client, "e", "q", "20")
  for (const routingKey of ["k", "other"]) {
    client.publish(1, { exchange: "e", routingKey, mandatory: true, body: text(routingKey) })
    await client.expect("basic.ack", 1)
  }
  assert.deepEqual(await drain(client, "q"), ["k", "other"])
})

for (const argument of ["hash-header", "x-hash-on"])
  wireTest(`${argument}: the header decides, whatever the routing key`, async (wire) => {
    const client = await wire.channel()
    await declareExchange(client, "e", TYPE, { [argument]: "user" })
    const queues = ["a", "b", "c", "d"]
    for (const queue of queues) await bindQueue(client, "e", queue, "1")
    const same = await spread(client, "e", queues, () => ({ headers: table({ user: "u" }) }))
    assert.deepEqual(
      same.toSorted((a, b) => a - b),
      [0, 0, 0, COUNT],
    )
    for (const queue of queues) await client.call("queue.purge", 1, { queue })
    const missing = await spread(client, "e", queues)
    assert.deepEqual(
      missing.toSorted((a, b) => a - b),
      [0, 0, 0, COUNT],
      "a missing header is a value too",
    )
    for (const queue of queues) await client.call("queue.purge", 1, { queue })
    const many = await spread(client, "e", queues, (i) => ({ headers: table({ user: i }) }))
    for (const count of many) assert.ok(Math.abs(count / COUNT - 0.25) < 0.05, `${count}`)
  })

wireTest("hash-property: correlation id, message id and timestamp", async (wire) => {
  const client = await wire.channel()
  const cases: readonly [string, (i: number) => BasicProperties][] = [
    ["correlation_id", (i) => ({ correlationId: String(i) })],
    ["message_id", (i) => ({ messageId: String(i) })],
    ["timestamp", (i) => ({ timestamp: BigInt(i) })],
  ]
  for (const [property, propertiesOf] of cases) {
    await declareExchange(client, property, TYPE, { "hash-property": property })
    const queues = ["1", "2"].map((number) => property + number)
    for (const queue of queues) await bindQueue(client, property, queue, "1")
    const [first = 0] = await spread(client, property, queues, propertiesOf)
    assert.ok(Math.abs(first / COUNT - 0.5) < 0.05, `${property}: ${first}`)
    for (const queue of queues) await client.call("queue.purge", 1, { queue })
    const same = await spread(client, property, queues, () => propertiesOf(7))
    assert.deepEqual(
      same.toSorted((a, b) => a - b),
      [0, COUNT],
    )
  }
})

wireTest("a weight is an integer from 1 on", async (wire) => {
  const client = await wire.channel()
  await declareExchange(client, "e", TYPE)
  await declare(client, "q")
  for (const [routingKey, reason] of [
    ["heavy", 'The binding key must be an integer: <<"heavy">>'],
    ["0", "The binding key must be greater than 0"],
    ["-1", "The binding key must be greater than 0"],
    ["99999999999", "The binding key must not exceed 4294967295"],
  ] as const) {
    client.send("queue.bind", 1, { queue: "q", exchange: "e", routingKey })
    await refused(client, reason, "queue.bind")
    client.send("exchange.bind", 1, { source: "e", destination: "amq.fanout", routingKey })
    await refused(client, reason, "exchange.bind")
  }
  assert.deepEqual(await reached(client, "e", "k", ["q"]), [])
})

wireTest("arguments that make no sense are refused", async (wire) => {
  const client = await wire.channel()
  await refusedExchange(
    client,
    "e",
    TYPE,
    { "hash-header": "h", "hash-property": "message_id" },
    "hash-header and hash-property are mutually exclusive",
  )
  await refusedExchange(
    client,
    "e",
    TYPE,
    { "hash-property": "app_id" },
    "Unsupported property: app_id",
  )
  await refusedExchange(
    client,
    "e",
    TYPE,
    { "hash-header": 1 },
    "invalid arg 'hash-header' for exchange 'e' in vhost '/': {unacceptable_type,signedint}",
  )
  for (const [exchange, algorithm] of [
    ["ring", "ring"],
    ["jump", "jump"],
    ["other", "other"],
  ] as const) {
    await declareExchange(client, exchange, TYPE, { "x-algorithm": algorithm })
    await bindQueue(client, exchange, "q", "1")
    assert.deepEqual(await reached(client, exchange, "k", ["q"]), ["q"])
  }
  await declareExchange(client, "header", TYPE, { "hash-header": "h" })
  await refusedExchange(
    client,
    "header",
    TYPE,
    { "hash-header": "i" },
    "inequivalent arg 'hash-header' for exchange 'header' in vhost '/': received 'i' but current is 'h'",
  )
})

wireTest("a second binding of a queue changes nothing until the first has gone", async (wire) => {
  const client = await wire.channel()
  await declareExchange(client, "e", TYPE)
  for (const queue of ["a", "b"]) await bindQueue(client, "e", queue, "1")
  await bindQueue(client, "e", "a", "1", table({ again: true }))
  const [first = 0] = await spread(client, "e", ["a", "b"])
  assert.ok(Math.abs(first / COUNT - 0.5) < 0.05, `${first}`)
  await client.call("queue.unbind", 1, { queue: "a", exchange: "e", routingKey: "1" })
  const [second] = await spread(client, "e", ["a", "b"])
  assert.equal(second, 2 * first)
})

wireTest("exchanges are destinations too", async (wire) => {
  const client = await wire.channel()
  await declareExchange(client, "e", TYPE)
  for (const name of ["left", "right"]) {
    await declareExchange(client, name, "fanout")
    await client.call("exchange.bind", 1, { source: "e", destination: name, routingKey: "1" })
    await bindQueue(client, name, `q-${name}`)
  }
  const [left = 0, right = 0] = await spread(client, "e", ["q-left", "q-right"])
  assert.equal(left + right, COUNT)
  assert.ok(Math.abs(left / COUNT - 0.5) < 0.05, `${left}`)
})

wireTest(
  "after a restart every key goes where it went before",
  async (wire) => {
    const before = await wire.channel()
    await declareExchange(before, "e", TYPE, { "hash-header": "h" }, true)
    const queues = ["a", "b", "c"]
    for (const queue of queues) {
      await declare(before, queue, { durable: true })
      await before.call("queue.bind", 1, { queue, exchange: "e", routingKey: "2" })
    }
    const chosen = async (client: WireClient): Promise<string[][]> => {
      const found: string[][] = []
      for (let i = 0; i < 20; i++)
        found.push(await reached(client, "e", "k", queues, { headers: table({ h: i }) }))
      return found
    }
    const first = await chosen(before)
    await wire.restart()
    assert.deepEqual(await chosen(await wire.channel()), first)
  },
  { disk: new MemoryDisk() },
)

wireTest("x-modulus-hash and the random ones give each message to one queue", async (wire) => {
  const client = await wire.channel()
  for (const type of ["x-modulus-hash", "x-random", "x-local-random"]) {
    await declareExchange(client, type, type)
    const queues = ["1", "2", "3", "4"].map((number) => type + number)
    for (const queue of queues) await bindQueue(client, type, queue)
    const counts = await spread(client, type, queues)
    assert.equal(
      counts.reduce((sum, count) => sum + count),
      COUNT,
    )
    for (const count of counts) assert.ok(Math.abs(count / COUNT - 0.25) < 0.06, `${count}`)
  }
})

wireTest("x-local-random takes classic queues without a key, and nothing else", async (wire) => {
  const client = await wire.channel()
  await declareExchange(client, "e", "x-local-random", {}, true)
  await declareExchange(client, "x", "fanout")
  await declare(client, "c")
  for (const type of ["quorum", "stream"])
    await declare(client, type, { durable: true, arguments: { "x-queue-type": type } })
  const bind = async (queue: string, routingKey: string, reason: string): Promise<void> => {
    client.send("queue.bind", 1, { queue, exchange: "e", routingKey })
    await refused(client, reason, "queue.bind")
  }
  await bind("c", "k", "Non empty binding 'k' key not permitted")
  await bind("quorum", "", "Queue type rabbit_quorum_queue not valid for this exchange type")
  await bind("stream", "", "Queue type rabbit_stream_queue not valid for this exchange type")
  client.send("exchange.bind", 1, { destination: "x", source: "e" })
  await refused(client, "Destination not found", "exchange.bind")
  await client.call("confirm.select", 1)
  client.publish(1, { exchange: "e", routingKey: "any", mandatory: true, body: text("m") })
  await expectReturned(client)
  await client.call("queue.bind", 1, { queue: "c", exchange: "e" })
  client.publish(1, { exchange: "e", routingKey: "any", mandatory: true, body: text("m") })
  await client.expect("basic.ack", 1)
  assert.deepEqual(await drain(client, "c"), ["m"])
})
