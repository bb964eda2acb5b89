/** AMQP over WebSocket from a page in Chromium, with the client that people use there. */
import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { test } from "node:test"
import type { Page } from "playwright-core"
import { startBroker } from "../../src/server/start-broker.ts"
import type { BrokerStartOptions, RunningBroker } from "../../src/server/start-broker.ts"
import { openPage, servePages } from "../support/browser.ts"
import type { PageServer } from "../support/browser.ts"
import { eventually } from "../support/eventually.ts"

const CLIENT = "node_modules/@cloudamqp/amqp-client/dist/amqp-websocket-client.mjs"

/** What the page can do; it is asked by name, with plain values in and out. */
const PAGE = `<!doctype html><meta charset="utf-8"><title>client</title>
<link rel="icon" href="data:,">
<script type="module">
import { AMQPWebSocketClient } from "/client.mjs"

const clients = new Map()

window.connect = async (name, url, user = "guest") => {
  const client = new AMQPWebSocketClient({ url, vhost: "/", username: user, password: user, name, logger: null })
  clients.set(name, client)
  client.disconnected = new Promise((resolve) => { client.ondisconnect = () => resolve("gone") })
  await client.connect()
  client.channel1 = await client.channel()
}
window.declare = async (name, queue) => {
  await clients.get(name).channel1.queueDeclare(queue, { durable: true })
}
/** Publishes with confirms; returns the delivery tags that were confirmed. */
window.publish = async (name, queue, sizes) => {
  const channel = clients.get(name).channel1
  await channel.confirmSelect()
  const tags = []
  for (const [index, size] of sizes.entries()) {
    const body = new Uint8Array(size).map((_, i) => (i * 31 + index) & 255)
    tags.push(await channel.basicPublish("", queue, body, { deliveryMode: 2 }))
  }
  return tags
}
/** Consumes so many messages and acknowledges them; returns their sizes, and -1 for a wrong byte. */
window.consume = (name, queue, count) => new Promise(async (resolve) => {
  const channel = clients.get(name).channel1
  await channel.prefetch(10)
  const sizes = []
  const consumer = await channel.basicConsume(queue, { noAck: false }, async (message) => {
    const index = sizes.length
    const isRight = message.body.every((byte, i) => byte === ((i * 31 + index) & 255))
    sizes.push(isRight ? message.body.length : -1)
    await message.ack()
    if (sizes.length === count) { await consumer.cancel(); resolve(sizes) }
  })
})
window.disconnected = (name) => clients.get(name).disconnected
window.disconnect = (name) => clients.get(name).close()
window.ready = true
</script>`

interface Bed {
  readonly running: RunningBroker
  readonly url: string
  readonly page: Page
  readonly problems: readonly string[]
  readonly pages: PageServer
}

function browserTest(
  name: string,
  options: BrokerStartOptions,
  body: (bed: Bed) => Promise<void>,
): void {
  test(name, async () => {
    const running = await startBroker({
      ...options,
      amqp: { port: 0 },
      http: { host: "127.0.0.1", port: 0 },
    })
    try {
      const pages = await servePages({
        "/": { type: "text/html", body: PAGE },
        "/client.mjs": { type: "text/javascript", body: readFileSync(CLIENT) },
      })
      const { page, problems } = await openPage()
      await page.goto(`${pages.origin}/`)
      await page.waitForFunction("window.ready === true")
      const url = `ws://127.0.0.1:${running.http?.port ?? 0}/`
      await body({ running, url, page, problems, pages })
      await page.context().close()
    } finally {
      await running.close()
    }
  })
}

function call(page: Page, name: string, ...args: readonly unknown[]): Promise<unknown> {
  return page.evaluate(`window.${name}(...${JSON.stringify(args)})`)
}

browserTest(
  "a page publishes with confirms, consumes, and gets a large message whole",
  {},
  async ({ running, url, page, problems }) => {
    await call(page, "connect", "one", url)
    await call(page, "declare", "one", "q")
    const sizes = [0, 1, 100, 4096, 8192, 100_000, 1_048_576, 5]
    assert.deepEqual(
      await call(page, "publish", "one", "q", sizes),
      sizes.map((_, i) => i + 1),
    )
    assert.equal(running.broker.vhosts.get("/")?.queues.get("q")?.readyCount, sizes.length)
    assert.deepEqual(await call(page, "consume", "one", "q", sizes.length), sizes)
    const [session] = running.broker.connections
    const info = session?.inspected.describe()
    assert.deepEqual(
      [info?.protocol, info?.peerHost, info?.clientName, info?.port],
      ["Web AMQP 0-9-1", "127.0.0.1", "one", running.http?.port],
    )
    await call(page, "disconnect", "one")
    await eventually(() => assert.equal(running.broker.connections.size, 0))
    assert.deepEqual(problems, [])
  },
)

browserTest(
  "a page is told when its connection is closed, and connects again",
  {},
  async ({ running, url, page }) => {
    await call(page, "connect", "one", url)
    await call(page, "declare", "one", "q")
    await call(page, "publish", "one", "q", [10])
    for (const session of running.broker.connections) session.forceClose("test")
    assert.equal(await call(page, "disconnected", "one"), "gone")
    await call(page, "connect", "two", url)
    assert.deepEqual(await call(page, "consume", "two", "q", 1), [10])
    await page.reload()
    await eventually(() => assert.equal(running.broker.connections.size, 0))
  },
)

browserTest(
  "a page of another origin connects only where that is allowed",
  { websocketAllowedOrigins: ["https://app.example.com"] },
  async ({ running, url, page, pages }) => {
    await assert.rejects(call(page, "connect", "one", url))
    assert.equal(running.broker.connections.size, 0)
    running.reconfigure({ websocketAllowedOrigins: [pages.origin] })
    await call(page, "connect", "two", url)
    assert.equal(running.broker.connections.size, 1)
  },
)
