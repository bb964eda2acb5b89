/** The message browser: it shows and decodes real messages of every state, and changes none of them. */
import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { after, before, test } from "node:test"
import { gzipSync } from "node:zlib"
import type { Channel } from "amqplib"
import type { Page } from "playwright-core"
import { eventually } from "../support/eventually.ts"
import { startUi } from "../support/ui.ts"
import type { Ui } from "../support/ui.ts"

let ui: Ui
let channel: Channel

before(async () => {
  ui = await startUi()
  channel = await (await ui.client("message-pages")).createChannel()
})
after(() => ui.close())

const queueOf = (name: string) => ui.running.broker.vhosts.get("/")?.queues.get(name)
const row = (page: Page, text: string): ReturnType<Page["locator"]> =>
  page.locator(".message-list tbody tr", { hasText: text })

const waiting = (name: string, count: number): Promise<void> =>
  eventually(() => assert.equal(queueOf(name)?.readyCount, count))

test("JSON, text, bytes, compressed and protobuf bodies are shown, and the queue stays as it is", async () => {
  await channel.assertQueue("bodies")
  const send = (body: Buffer, options = {}): boolean => channel.sendToQueue("bodies", body, options)
  send(Buffer.from('{"order":{"id":42,"lines":[1,2]}}'), {
    contentType: "application/json",
    messageId: "m-1",
    headers: { tenant: "berlin", nested: { a: [1, 2] } },
  })
  send(Buffer.from("plain words"))
  send(Buffer.from([0xff, 0xfe, 0x41]))
  send(gzipSync('{"packed":true}'), { contentEncoding: "gzip" })
  send(Buffer.from([0x08, 0x96, 0x01, 0x12, 0x03, 0x61, 0x62, 0x63]), {
    contentType: "application/x-protobuf",
  })
  await waiting("bodies", 5)
  const { page, problems } = await ui.open("/queues/%2F/bodies?tab=messages")
  await row(page, "order").click()
  const side = page.getByRole("region", { name: "Message 0" })
  await side.getByText("m-1").waitFor()
  await side.getByText("tenant").waitFor()
  await side.getByText("berlin").waitFor()
  await side.getByRole("tab", { name: "JSON", selected: true }).waitFor()
  await side.getByRole("tab", { name: "Tree" }).click()
  await side.locator(".json-tree").getByText("lines").waitFor()
  await page.keyboard.press("ArrowRight")
  await side.getByRole("tab", { name: "Text", selected: true }).waitFor()
  await page.locator(".message-list tbody tr").nth(1).click()
  await page
    .getByRole("region", { name: "Message 1" })
    .getByRole("tab", { name: "Text", selected: true })
    .waitFor()
  await page.keyboard.press("ArrowDown")
  const bytes = page.getByRole("region", { name: "Message 2" })
  await bytes.getByText("ff fe 41").waitFor()
  await page.keyboard.press("ArrowDown")
  const packed = page.getByRole("region", { name: "Message 3" })
  await packed.getByText("Unpacked from").waitFor()
  await packed.getByText('"packed": true').waitFor()
  await packed.getByRole("button", { name: "Show as it is" }).click()
  await packed.getByText("1f 8b").waitFor()
  await page.locator(".message-list tbody tr").nth(4).click()
  const raw = page.getByRole("region", { name: "Message 4" })
  await raw.getByRole("tab", { name: "Protobuf", selected: true }).waitFor()
  await raw.getByText('2: "abc"').waitFor()
  assert.equal(queueOf("bodies")?.readyCount, 5)
  const first = await channel.get("bodies", { noAck: true })
  assert.ok(first !== false)
  assert.equal(first.fields.redelivered, false)
  assert.deepEqual(problems, [])
})

test("a body is downloaded, copied and published again with its headers", async () => {
  await channel.assertQueue("again")
  channel.sendToQueue("again", Buffer.from("the body"), {
    headers: { number: 5, digits: "5" },
    persistent: true,
    correlationId: "c-1",
  })
  await waiting("again", 1)
  const { page, problems } = await ui.open("/queues/%2F/again?tab=messages")
  await page
    .context()
    .grantPermissions(["clipboard-read", "clipboard-write"], { origin: ui.origin })
  await row(page, "the body").click()
  const waitForFile = page.waitForEvent("download")
  await page.getByRole("button", { name: "Download body" }).click()
  const file = await waitForFile
  assert.equal(file.suggestedFilename(), "again-0.txt")
  assert.equal(readFileSync(await file.path(), "utf8"), "the body")
  await page.getByRole("button", { name: "Copy as curl" }).click()
  await page.getByText("Copied the command").waitFor()
  assert.match(
    await page.evaluate<string>("navigator.clipboard.readText()"),
    /^curl -u 'guest' -X POST/,
  )
  await page.getByRole("button", { name: "Publish again" }).click()
  const form = page.getByRole("dialog", { name: "Publish again" })
  assert.equal(await form.getByLabel("Routing key").inputValue(), "again")
  await form.getByLabel("Body", { exact: true }).fill("another body")
  await form.getByRole("button", { name: "Publish", exact: true }).click()
  await page.getByText("Published, a queue has it").waitFor()
  await channel.get("again", { noAck: true })
  const copy = await channel.get("again", { noAck: true })
  assert.ok(copy !== false)
  assert.equal(copy.content.toString(), "another body")
  const { headers, correlationId, deliveryMode } = copy.properties
  assert.deepEqual([headers, correlationId, deliveryMode], [{ number: 5, digits: "5" }, "c-1", 2])
  assert.deepEqual(problems, [])
})

test("a copy that nobody takes is told, and the form keeps it", async () => {
  await channel.assertQueue("unrouted")
  channel.sendToQueue("unrouted", Buffer.from("lost?"))
  await waiting("unrouted", 1)
  const { page } = await ui.open("/queues/%2F/unrouted?tab=messages")
  await row(page, "lost?").click()
  await page.getByRole("button", { name: "Publish again" }).click()
  const form = page.getByRole("dialog", { name: "Publish again" })
  await form.getByLabel("Routing key").fill("no-such-queue")
  await form.getByRole("button", { name: "Publish", exact: true }).click()
  await form.getByText("No queue took it.").waitFor()
  assert.equal(await form.getByLabel("Body", { exact: true }).inputValue(), "lost?")
})

test("a long body is cut, and loaded as a whole when asked for", async () => {
  await channel.assertQueue("large")
  channel.sendToQueue("large", Buffer.from("0123456789".repeat(30_000)))
  await waiting("large", 1)
  const { page, problems } = await ui.open("/queues/%2F/large?tab=messages")
  await row(page, "0123456789").click()
  await page.getByText("The first 64 KiB of 293 KiB").waitFor()
  assert.equal(await page.getByRole("button", { name: "Publish again" }).isEnabled(), false)
  await page.getByRole("button", { name: "Load all of it" }).click()
  await page.getByText("The first 64 KiB of").waitFor({ state: "detached" })
  assert.equal(await page.getByRole("button", { name: "Publish again" }).isEnabled(), true)
  assert.deepEqual(problems, [])
})

test("pages, positions and a search that says how far it looked", async () => {
  await channel.assertQueue("many")
  for (let i = 0; i < 1200; i++)
    channel.sendToQueue("many", Buffer.from(`number ${String(i)}`), { headers: { parity: i % 2 } })
  await waiting("many", 1200)
  const { page, problems } = await ui.open("/queues/%2F/many?tab=messages")
  await page.getByText("0–49 of 1,200 ready messages").waitFor()
  await page.getByRole("button", { name: "Next" }).click()
  await page.getByText("50–99 of 1,200").waitFor()
  await page.getByRole("button", { name: "Previous" }).click()
  await page.getByText("0–49 of 1,200").waitFor()
  await page.getByLabel("From position").fill("1190")
  await page.keyboard.press("Enter")
  await page.getByText("1,190–1,199 of 1,200").waitFor()
  await page.getByLabel("From position").fill("0")
  await page.keyboard.press("Enter")
  await page.getByText("0–49 of 1,200").waitFor()
  await page.getByLabel("Search messages").fill("NUMBER 777")
  await page.keyboard.press("Enter")
  await page.getByText("1 found in 1,200 messages, all of them").waitFor()
  await row(page, "number 777").waitFor()
  await page.getByLabel("Where to search").selectOption("headers")
  await page.getByRole("button", { name: "Search", exact: true }).click()
  await page.getByText("0 found in 1,200 messages").waitFor()
  await page.getByText("Nothing found").waitFor()
  await page.getByRole("button", { name: "Clear the search" }).click()
  await page.getByText("0–49 of 1,200").waitFor()
  assert.equal(queueOf("many")?.readyCount, 1200)
  assert.deepEqual(problems, [])
})

test("unacked messages with who holds them", async () => {
  await channel.assertQueue("with-consumer")
  channel.sendToQueue("with-consumer", Buffer.from("held one"))
  const consumer = await (await ui.client("holder")).createChannel()
  await consumer.consume("with-consumer", () => {}, { consumerTag: "holder-tag" })
  await eventually(() => assert.equal(queueOf("with-consumer")?.unackedCount, 1))
  const { page, problems } = await ui.open("/queues/%2F/with-consumer?tab=messages")
  await page.getByText("No messages here").waitFor()
  await page.getByRole("group", { name: "Which messages" }).getByText("Unacked").click()
  await row(page, "held one").click()
  const side = page.getByRole("region", { name: "Message 0" })
  await side.getByText("holder-tag").waitFor()
  await side.getByText("Delivery tag").waitFor()
  assert.equal(queueOf("with-consumer")?.unackedCount, 1)
  assert.deepEqual(problems, [])
})

test("delayed messages that wait at a bound exchange, with when they are due", async () => {
  const options = { arguments: { "x-delayed-type": "direct" } }
  await channel.assertExchange("later", "x-delayed-message", options)
  await channel.assertQueue("reminders")
  await channel.bindQueue("reminders", "later", "reminder")
  channel.publish("later", "reminder", Buffer.from("call back"), {
    headers: { "x-delay": 7_200_000 },
  })
  const { page, problems } = await ui.open("/queues/%2F/reminders?tab=messages")
  await page.getByRole("group", { name: "Which messages" }).getByText("Delayed").click()
  await row(page, "call back")
    .getByText(/in (2 h|1 h)/)
    .waitFor()
  await row(page, "call back").click()
  await page.getByRole("region", { name: "Message 0" }).getByText("Due").waitFor()
  assert.equal(queueOf("reminders")?.readyCount, 0)
  assert.deepEqual(problems, [])
})

test("a dead letter tells where and why it died", async () => {
  await channel.assertExchange("graves", "fanout")
  await channel.assertQueue("graveyard")
  await channel.bindQueue("graveyard", "graves", "")
  await channel.assertQueue("short-lived", { messageTtl: 1, deadLetterExchange: "graves" })
  channel.sendToQueue("short-lived", Buffer.from("short life"))
  await waiting("graveyard", 1)
  const { page, problems } = await ui.open("/queues/%2F/graveyard?tab=messages")
  await row(page, "expired").click()
  const deaths = page.locator(".deaths")
  await deaths.getByText("expired").waitFor()
  await deaths.getByRole("link", { name: "short-lived" }).click()
  await page.getByRole("heading", { level: 1, name: "short-lived" }).waitFor()
  assert.deepEqual(problems, [])
})

test("on a phone a message opens over the list, and Escape closes it", async () => {
  await channel.assertQueue("phone")
  channel.sendToQueue("phone", Buffer.from('{"wide":"' + "x".repeat(300) + '"}'))
  await waiting("phone", 1)
  const { page, problems } = await ui.open("/queues")
  await page.setViewportSize({ width: 390, height: 844 })
  await page.goto(`${ui.origin}/#/queues/%2F/phone?tab=messages`)
  await row(page, "wide").click()
  const dialog = page.getByRole("dialog", { name: "Message 0" })
  await dialog.getByRole("tab", { name: "JSON", selected: true }).waitFor()
  const excess = await page.evaluate<number>(
    "(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)(document.querySelector('dialog'))",
  )
  assert.ok(excess <= 0, `${String(excess)} px too wide`)
  await page.keyboard.press("Escape")
  await dialog.waitFor({ state: "detached" })
  assert.deepEqual(problems, [])
})
