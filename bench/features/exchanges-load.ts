/**
 * The load of exchanges.ts, a program: `node bench/features/exchanges-load.ts port kind seconds`.
 * Prints one line, `12345 msg/s`.
 */
import { encodePublish, type PublishOptions } from "../../src/amqp/content.ts"
import { tableFromPlain, type PlainRecord } from "../../src/amqp/table.ts"
import { WireClient } from "../../test/support/wire-client.ts"

const BODY = Buffer.alloc(16, "x")
/** More than a cache of duplicates remembers, so that none is one. */
const DIFFERENT_COUNT = 5000
const QUEUE_COUNT = 10

interface Kind {
  readonly type: string
  readonly arguments?: PlainRecord
  /** Routing key and arguments of the binding of queue number `i`. */
  binding(i: number): readonly [routingKey: string, args: PlainRecord]
  message(i: number): PublishOptions
}

const headers = (record: PlainRecord): PublishOptions => ({
  properties: { headers: tableFromPlain(record) },
})

const KINDS: Readonly<Record<string, Kind>> = {
  direct: {
    type: "direct",
    binding: (i) => [`k${String(i)}`, {}],
    message: (i) => ({ routingKey: `k${String(i % QUEUE_COUNT)}` }),
  },
  hash: {
    type: "x-consistent-hash",
    binding: () => ["1", {}],
    message: (i) => ({ routingKey: `order.${String(i)}` }),
  },
  "hash-header": {
    type: "x-consistent-hash",
    arguments: { "hash-header": "customer" },
    binding: () => ["1", {}],
    message: (i) => headers({ customer: i }),
  },
  alternate: {
    type: "direct",
    arguments: { "alternate-exchange": "alternate" },
    binding: () => ["other", {}],
    message: (i) => ({ routingKey: `order.${String(i)}` }),
  },
  headers: {
    type: "headers",
    binding: (i) => ["", { "x-match": "all", kind: "order", number: i }],
    message: (i) => headers({ kind: "order", number: i % QUEUE_COUNT }),
  },
  deduplication: {
    type: "direct",
    arguments: { "x-message-deduplication": true },
    binding: (i) => [`k${String(i)}`, {}],
    message: (i) => ({
      routingKey: `k${String(i % QUEUE_COUNT)}`,
      ...headers({ "x-deduplication-header": `message.${String(i)}` }),
    }),
  },
  cc: {
    type: "direct",
    binding: (i) => [`k${String(i)}`, {}],
    message: (i) => ({
      routingKey: `k${String(i % QUEUE_COUNT)}`,
      ...headers({ CC: [`k${String((i + 1) % QUEUE_COUNT)}`] }),
    }),
  },
}

async function declare(client: WireClient, kind: Kind): Promise<void> {
  await client.call("exchange.declare", 1, { exchange: "alternate", type: "fanout" })
  const args = tableFromPlain(kind.arguments ?? {})
  await client.call("exchange.declare", 1, { exchange: "e", type: kind.type, arguments: args })
  for (let i = 0; i < QUEUE_COUNT; i++) {
    const queue = `q${String(i)}`
    // What is published is not consumed and must not fill the disk.
    const queueArguments = tableFromPlain({ "x-max-length": 100_000 })
    await client.call("queue.declare", 1, { queue, arguments: queueArguments })
    const [routingKey, bindingArgs] = kind.binding(i)
    const binding = { queue, exchange: "e", routingKey, arguments: tableFromPlain(bindingArgs) }
    await client.call("queue.bind", 1, binding)
  }
  await client.call("queue.bind", 1, { queue: "q0", exchange: "alternate" })
}

async function main(): Promise<void> {
  const [port = "", name = "", seconds = ""] = process.argv.slice(2)
  const kind = KINDS[name]
  if (kind === undefined) throw new Error(`no load '${name}'`)
  const client = await WireClient.open(Number(port))
  for (const channel of [1, 2]) await client.openChannel(channel)
  await declare(client, kind)
  const chunks = [1, 2].map((channel) =>
    Buffer.concat(
      Array.from({ length: DIFFERENT_COUNT }, (_, i) =>
        encodePublish(channel, { exchange: "e", body: BODY, ...kind.message(i) }),
      ),
    ),
  )
  const publish = (index: number): void => {
    client.sendBytes(chunks[index]!)
    client.send("channel.flow", index + 1, { active: true })
  }
  const startMs = performance.now()
  const endMs = startMs + Number(seconds) * 1000
  publish(0)
  let sent = 1
  // One chunk is worked on while the next one is sent.
  for (; performance.now() < endMs; sent++) {
    publish(sent % 2)
    await client.expect("channel.flow-ok", 2 - (sent % 2))
  }
  await client.expect("channel.flow-ok", 2 - (sent % 2))
  const rate = (sent * DIFFERENT_COUNT * 1000) / (performance.now() - startMs)
  console.log(`${String(Math.round(rate))} msg/s`)
  client.destroy()
}

await main()
