/** Shovels that post to a receiver of HTTP that refuses, is busy, hangs, goes away and comes back. */
import assert from "node:assert/strict"
import { createHmac } from "node:crypto"
import { readFileSync } from "node:fs"
import { createServer } from "node:http"
import type { IncomingHttpHeaders, ServerResponse } from "node:http"

import { test } from "node:test"
import type { TestContext } from "node:test"
import { signatureFor } from "../../src/links/shovel/http-target.ts"
import { portOf } from "../support/dropping-proxy.ts"
import { eventually } from "../support/eventually.ts"
import { drain, publishNumbers, ShovelBed } from "../support/shovel-bed.ts"

interface Received {
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

class Receiver {
  readonly received: Received[] = []
  activeCount = 0
  activeMax = 0
  answer: (response: ServerResponse, count: number) => void = (response) => response.end()
  readonly #server = createServer((request, response) => {
    let body = ""
    this.activeMax = Math.max(this.activeMax, ++this.activeCount)
    request.setEncoding("utf8").on("data", (text: string) => {
      body += text
    })
    response.on("close", () => this.activeCount--)
    request.on("end", () => {
      this.received.push({ url: request.url ?? "", headers: request.headers, body })
      this.answer(response, this.received.length)
    })
  })

  async listen(context: TestContext, port = 0): Promise<number> {
    await new Promise<void>((resolve) => {
      this.#server.listen(port, "127.0.0.1", resolve)
    })
    context.after(() => this.close())
    return portOf(this.#server)
  }

  close(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }
}

const DEAD = { "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead" }

async function bedWithQueues(context: TestContext): Promise<ShovelBed> {
  const bed = await ShovelBed.open(context)
  await bed.channel.declareQueue("dead", { durable: true })
  await bed.channel.declareQueue("a", { durable: true, arguments: DEAD })
  return bed
}

test("messages are posted with their headers, signed", async (context) => {
  const receiver = new Receiver()
  const port = await receiver.listen(context)
  const bed = await bedWithQueues(context)
  await bed.setShovel("hook", {
    "src-uri": "amqp://",
    "src-queue": "a",
    "dest-uri": `http://me:hidden@127.0.0.1:${String(port)}/in?x=1`,
    "dest-signing-secret": "s3cret",
  })
  const headers = new Map([
    ["tenant", "t1"],
    ["bad name", "x"],
    ["line", "a\r\nb"],
    ["shovel", "forged"],
  ])
  await publishNumbers(bed.channel, "a", 1, 42, {
    contentType: "text/plain",
    messageId: "m1",
    headers,
  })
  await eventually(() => assert.equal(receiver.received.length, 1))
  const [{ url, headers: sent, body } = { url: "", headers: {}, body: "" }] = receiver.received
  assert.equal(url, "/in?x=1")
  assert.equal(body, "42")
  assert.equal(sent["user-agent"], "Sluice")
  assert.equal(sent["x-shovel"], "hook")
  assert.equal(sent["content-type"], "text/plain")
  assert.equal(sent["x-message-id"], "m1")
  assert.equal(sent["x-tenant"], "t1")
  assert.equal(sent["x-line"], undefined)
  assert.equal(sent.authorization, `Basic ${btoa("me:hidden")}`)
  const signature = String(sent["x-sluice-signature"])
  const [, seconds = "", hex] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(signature) ?? []
  assert.equal(hex, createHmac("sha256", "s3cret").update(`${seconds}.42`).digest("hex"))
  await eventually(() => assert.equal(bed.vhost.queues.get("a")?.unackedCount, 0))
  const shovel = bed.vhost.parameters.get("shovel", "hook")
  assert.ok(shovel !== null)
})

test("4xx goes to the dead letters; 5xx, 429 and hanging are tried again, in order", async (context) => {
  const receiver = new Receiver()
  const port = await receiver.listen(context)
  const bed = await bedWithQueues(context)
  await publishNumbers(bed.channel, "a", 8)
  receiver.answer = (response, count) => {
    if (count === 2) response.writeHead(422).end()
    else if (count === 4) response.writeHead(503).end()
    else if (count === 6) response.writeHead(429, { "retry-after": "1" }).end()
    else if (count === 8) return // Hangs until the time is up.
    else response.end("x".repeat(100_000))
  }
  const startedAt = performance.now()
  await bed.setShovel("hook", {
    "src-uri": "amqp://",
    "src-queue": "a",
    "dest-uri": `http://127.0.0.1:${String(port)}`,
    "dest-http-timeout": 0.3,
  })
  await eventually(() => assert.equal(receiver.received.length, 11))
  assert.deepEqual(
    receiver.received.map(({ body }) => body),
    ["0", "1", "2", "3", "3", "4", "4", "5", "5", "6", "7"],
  )
  assert.ok(performance.now() - startedAt >= 1000, "Retry-After was not waited for")
  assert.equal(receiver.activeMax, 1)
  await eventually(() => assert.equal(bed.vhost.queues.get("a")?.unackedCount, 0))
  assert.deepEqual(
    (await drain(bed.channel, "dead")).map(({ body }) => body.toString()),
    ["1"],
  )
})

test("a receiver that is away gets everything when it is back; the path is the message's", async (context) => {
  const first = new Receiver()
  const port = await first.listen(context)
  const bed = await bedWithQueues(context)
  await bed.setShovel("hook", {
    "src-uri": "amqp://",
    "src-queue": "a",
    "dest-uri": `http://127.0.0.1:${String(port)}`,
    "dest-http-concurrency": 10,
  })
  const headers = new Map([["uri_path", "/from/message"]])
  await publishNumbers(bed.channel, "a", 5, 0, { headers })
  await eventually(() => assert.equal(first.received.length, 5))
  assert.equal(first.received[0]?.url, "/from/message")
  first.close()
  await publishNumbers(bed.channel, "a", 50, 5)
  const second = new Receiver()
  let held: ServerResponse | null = null
  second.answer = (response, count) => {
    if (count === 1) held = response // Until another one has come beside it.
    else {
      held?.end()
      response.end()
    }
  }
  await second.listen(context, port)
  await eventually(() => assert.equal(new Set(second.received.map(({ body }) => body)).size, 50))
  assert.equal(second.received[0]?.url, "/")
  assert.ok(second.activeMax > 1 && second.activeMax <= 10)
  await eventually(() => assert.equal(bed.vhost.queues.get("a")?.unackedCount, 0))
  assert.equal(bed.count("dead"), 0)
})

test("an answer that never ends, breaks off or redirects is one answer, and leads nowhere", async (context) => {
  const receiver = new Receiver()
  const port = await receiver.listen(context)
  const bed = await bedWithQueues(context)
  receiver.answer = (response, count) => {
    response.writeHead(count < 4 ? 200 : 302, { location: `http://127.0.0.1:${String(port)}/no` })
    if (count === 1) response.write("a") // And no more.
    else if (count === 2) response.write("a", () => response.destroy())
    else if (count === 3) response.end(Buffer.alloc(3 << 20))
    else response.end()
  }
  await publishNumbers(bed.channel, "a", 4)
  await bed.setShovel("hook", {
    "src-uri": "amqp://",
    "src-queue": "a",
    "dest-uri": `http://127.0.0.1:${String(port)}/yes`,
    "dest-http-timeout": 0.3,
  })
  await eventually(() => assert.equal(receiver.received.length, 5))
  assert.deepEqual(
    receiver.received.map(({ url, body }) => `${url} ${body}`),
    ["/yes 0", "/yes 1", "/yes 2", "/yes 3", "/yes 3"],
  )
})

test("a slow receiver holds back the source, and memory stays as it is", async (context) => {
  const receiver = new Receiver()
  const port = await receiver.listen(context)
  const bed = await bedWithQueues(context)
  receiver.answer = () => {} // Never.
  await publishNumbers(bed.channel, "a", 1)
  const { PublishTarget } = await import("../../src/client/publish-target.ts")
  const body = Buffer.alloc(1 << 20)
  const target = new PublishTarget({ routingKey: "a" })
  for (let i = 0; i < 80; i++)
    if (!bed.channel.publish(target, body))
      await new Promise<void>((resolve) => {
        bed.channel.onDrain = resolve
      })
  await eventually(() => assert.equal(bed.count("a"), 81))
  await bed.setShovel("hook", {
    "src-uri": bed.uri,
    "src-queue": "a",
    "dest-uri": `http://127.0.0.1:${String(port)}`,
  })
  await eventually(() => assert.equal(receiver.received.length, 1))
  const before = process.memoryUsage().arrayBuffers
  for (let i = 0; i < 20; i++) await bed.channel.checkQueue("a")
  assert.ok(process.memoryUsage().arrayBuffers - before < 48 << 20)
})

test("the receiver of docs/shovels.md knows our signatures from others", async () => {
  const page = readFileSync("docs/shovels.md", "utf8")
  const [, code = ""] = /```js\n([\s\S]*?)```/.exec(page) ?? []
  const program: unknown = await import(`data:text/javascript,${encodeURIComponent(code)}`)
  const isOurs: unknown = Reflect.get(Object(program), "isOurs")
  assert.ok(typeof isOurs === "function")
  const header = signatureFor("s3cret", 1000, Buffer.from("body"))
  assert.equal(isOurs(header, "body", "s3cret", 1100), true)
  assert.equal(isOurs(header, "body", "other", 1100), false)
  assert.equal(isOurs(header, "bodY", "s3cret", 1100), false)
  assert.equal(isOurs(header, "body", "s3cret", 2000), false)
})
