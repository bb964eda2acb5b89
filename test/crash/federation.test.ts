/**
 * Federation between broker processes of which one is killed in the middle, or the network is cut: what
 * was confirmed to the publisher arrives, and links go on by themselves.
 */
import assert from "node:assert/strict"
import { test } from "node:test"
import type { TestContext } from "node:test"
import type { ClientChannel } from "../../src/client/channel.ts"
import { AmqpClient } from "../../src/client/client.ts"
import { PublishTarget } from "../../src/client/publish-target.ts"
import { DroppingProxy } from "../support/dropping-proxy.ts"
import { eventually, pause } from "../support/eventually.ts"
import { FederationProcess } from "../support/federation-process.ts"
import { bodies, drain, openChannel } from "../support/shovel-bed.ts"

const COUNT = 5000
const WINDOW = 500

/** Publishes `0` … `COUNT - 1`, each until it is confirmed, whatever happens to the broker. */
async function publishAll(broker: FederationProcess, exchange: string, key: string): Promise<void> {
  const missing = new Set(Array.from({ length: COUNT }, (_, i) => i))
  await eventually(
    async () => {
      const connection = await new AmqpClient().connect(broker.url)
      try {
        await publishMissing(await connection.openChannel(), exchange, key, missing)
      } finally {
        connection.destroy()
      }
    },
    { timeoutMs: 60_000 },
  )
}

async function publishMissing(
  channel: ClientChannel,
  exchange: string,
  key: string,
  missing: Set<number>,
): Promise<void> {
  await channel.confirmSelect({ window: WINDOW })
  const target = new PublishTarget({ exchange, routingKey: key })
  const published: number[] = []
  let settled = 0
  const over = Promise.withResolvers<void>()
  channel.onClosed = (error) => over.reject(error ?? new Error("closed"))
  channel.onConfirm = (tag, multiple, isAck) => {
    for (let each = multiple ? settled + 1 : tag; each <= tag; each++)
      if (isAck) missing.delete(published[each - 1]!)
    if (multiple) settled = tag
    if (missing.size === 0) over.resolve()
  }
  let drained = Promise.withResolvers<void>()
  channel.onDrain = () => drained.resolve()
  over.promise.catch(() => drained.resolve())
  for (const number of missing) {
    if (!channel.isOpen) break
    published.push(number)
    drained = Promise.withResolvers<void>()
    if (!channel.publish(target, Buffer.from(String(number)), { deliveryMode: 2 }))
      await drained.promise
  }
  await over.promise
}

async function declareAll(context: TestContext, ...brokers: FederationProcess[]): Promise<void> {
  for (const broker of brokers) {
    const channel = await openChannel(context, broker.url)
    await channel.declareExchange("x", "topic", { durable: true })
    await channel.declareQueue("q", { durable: true })
  }
}

async function untilCount(
  context: TestContext,
  broker: FederationProcess,
  count: number,
): Promise<void> {
  const channel = await openChannel(context, broker.url)
  await eventually(async () => assert.ok((await channel.checkQueue("q")).messageCount >= count), {
    timeoutMs: 60_000,
  })
}

/** All numbers are there. Returns how many are there more than once. */
async function countDuplicates(context: TestContext, broker: FederationProcess): Promise<number> {
  const messages = bodies(await drain(await openChannel(context, broker.url), "q"))
  const distinct = new Set(messages)
  const missing = Array.from({ length: COUNT }, (_, i) => String(i)).filter(
    (number) => !distinct.has(number),
  )
  assert.deepEqual(missing, [])
  return messages.length - distinct.size
}

for (const victim of ["upstream", "downstream", "network"] as const)
  test(`exchange federation loses nothing that was confirmed: kill of the ${victim}`, async (context) => {
    const [a, b] = await Promise.all([
      FederationProcess.start(context),
      FederationProcess.start(context),
    ])
    const proxy = new DroppingProxy(() => a.port)
    const port = await proxy.listen(context)
    await declareAll(context, a, b)
    const channel = await openChannel(context, b.url)
    await channel.bindQueue("q", "x", "k.#")
    await b.federate("^x$", `amqp://guest:guest@127.0.0.1:${String(port)}`)
    await b.untilRunning(1)
    const published = publishAll(a, "x", "k.1")
    await untilCount(context, b, COUNT / 20)
    if (victim === "upstream") await a.killAndRestart()
    else if (victim === "downstream") await b.killAndRestart()
    else proxy.cut()
    await published
    await untilCount(context, b, COUNT)
    await b.untilRunning(1)
    await pause(300)
    const duplicates = await countDuplicates(context, b)
    context.diagnostic(`${String(duplicates)} of ${String(COUNT)} came twice`)
    assert.ok(duplicates < COUNT / 2)
  })

for (const victim of ["upstream", "downstream", "network"] as const)
  test(`queue federation loses nothing that was confirmed: kill of the ${victim}`, async (context) => {
    const [a, b] = await Promise.all([
      FederationProcess.start(context),
      FederationProcess.start(context),
    ])
    const proxy = new DroppingProxy(() => a.port)
    const port = await proxy.listen(context)
    await declareAll(context, a, b)
    await publishAll(a, "", "q")
    await b.federate("^q$", `amqp://guest:guest@127.0.0.1:${String(port)}`)
    await b.untilRunning(1)
    const seen = new Set<string>()
    let total = 0
    const consume = async (): Promise<void> => {
      const channel = await openChannel(context, b.url)
      await channel.qos(100)
      await channel.consume("q", {
        onDelivery({ body, deliveryTag }) {
          seen.add(body.toString())
          total++
          channel.ack(deliveryTag)
        },
      })
    }
    await consume()
    await eventually(() => assert.ok(seen.size > COUNT / 20))
    if (victim === "upstream") await a.killAndRestart()
    else if (victim === "network") proxy.cut()
    else {
      await b.killAndRestart()
      await consume()
    }
    await eventually(() => assert.equal(seen.size, COUNT), { timeoutMs: 60_000 })
    context.diagnostic(`${String(total - COUNT)} of ${String(COUNT)} came twice`)
    assert.ok(total - COUNT < COUNT / 2)
  })

test("three processes in a ring and with the names they choose: each gets each message once", async (context) => {
  const brokers = await Promise.all([1, 2, 3].map(() => FederationProcess.start(context)))
  await declareAll(context, ...brokers)
  for (const [index, broker] of brokers.entries()) {
    const channel = await openChannel(context, broker.url)
    await channel.bindQueue("q", "x", "#")
    await broker.federate("^x$", brokers[(index + 1) % 3]!.url, { "max-hops": 5 })
  }
  for (const broker of brokers) await broker.untilRunning(1)
  await eventually(async () => {
    for (const broker of brokers) {
      const bindings = await broker.request("GET", "exchanges/%2f/x/bindings/source")
      assert.ok(Array.isArray(bindings))
      assert.equal(bindings.length, 3)
    }
  })
  for (const [index, broker] of brokers.entries()) {
    const channel = await openChannel(context, broker.url)
    channel.publish(
      new PublishTarget({ exchange: "x", routingKey: "k" }),
      Buffer.from(String(index)),
    )
  }
  for (const broker of brokers) await untilCount(context, broker, 3)
  await pause(200)
  for (const broker of brokers) {
    const channel = await openChannel(context, broker.url)
    assert.deepEqual(bodies(await drain(channel, "q")).toSorted(), ["0", "1", "2"])
  }
})
