/** Streams in the UI: the list, offsets, readers and their lag, kept places, and reading from anywhere. */
import assert from "node:assert/strict"
import { after, before, test } from "node:test"
import type { Channel } from "amqplib"
import type { Page } from "playwright-core"
import { eventually } from "../support/eventually.ts"
import { startUi } from "../support/ui.ts"
import type { Ui } from "../support/ui.ts"

let ui: Ui
let channel: Channel

before(async () => {
  ui = await startUi()
  channel = await (await ui.client("stream-pages")).createChannel()
})
after(() => ui.close())

const queueOf = (name: string) => ui.running.broker.vhosts.get("/")?.queues.get(name)
const row = (page: Page, text: string): ReturnType<Page["locator"]> =>
  page.locator("tbody tr", { hasText: text })

async function stream(name: string, count: number): Promise<void> {
  await channel.assertQueue(name, { durable: true, arguments: { "x-queue-type": "stream" } })
  for (let i = 0; i < count; i++) channel.sendToQueue(name, Buffer.from(`event ${String(i)}`))
  await eventually(() => assert.equal(queueOf(name)?.readyCount, count))
}

test("streams are listed without queues, and one is added", async () => {
  await stream("listed", 3)
  await channel.assertQueue("no-stream")
  const { page, problems } = await ui.open("/streams")
  await row(page, "listed").getByText("3", { exact: true }).waitFor()
  assert.equal(await row(page, "no-stream").count(), 0)
  await page.getByRole("button", { name: "Add stream" }).click()
  const form = page.getByRole("dialog", { name: "Add queue" })
  assert.equal(await form.getByLabel("Type").inputValue(), "stream")
  await form.getByLabel("Name", { exact: true }).first().fill("added")
  await form.getByRole("button", { name: "Add queue" }).click()
  await row(page, "added").waitFor()
  assert.equal(queueOf("added")?.arguments.get("x-queue-type"), "stream")
  assert.deepEqual(problems, [])
})

test("offsets, segments, readers with their lag, and the places that are kept", async () => {
  await stream("log", 100)
  const reading = await (await ui.client("reader")).createChannel()
  await reading.prefetch(10)
  await reading.consume("log", () => {}, {
    consumerTag: "slow-reader",
    arguments: { "x-stream-offset": "first" },
  })
  const tracked = await (await ui.client("tracked")).createChannel()
  await tracked.prefetch(10)
  await tracked.consume("log", () => {}, { consumerTag: "billing" })
  await tracked.close()
  const { page, problems } = await ui.open("/streams")
  await row(page, "log").getByRole("link", { name: "log" }).click()
  await page.getByRole("heading", { level: 1, name: "log" }).waitFor()
  await page.locator(".tile", { hasText: "Offsets" }).getByText("100", { exact: true }).waitFor()
  await page.locator(".tile", { hasText: "Segments" }).getByText("1", { exact: true }).waitFor()
  await row(page, "slow-reader").getByText("90", { exact: true }).waitFor()
  const kept = page.locator(".panel", { hasText: "Kept places" })
  await kept.locator("tbody tr", { hasText: "billing" }).getByText("away").waitFor()
  await page.getByRole("img", { name: /^Chart: Message rates/ }).waitFor()
  await row(page, "slow-reader").getByRole("link", { name: "10", exact: true }).click()
  await row(page, "event 10").waitFor()
  assert.deepEqual(problems, [])
})

test("messages are read from an offset, from the end and from a time on, and are looked at", async () => {
  await stream("read", 300)
  const { page, problems } = await ui.open("/streams/%2F/read?tab=messages")
  await page.getByText("0–49 of 300 messages").waitFor()
  await page.getByRole("button", { name: "Last", exact: true }).click()
  await page.getByText("250–299 of 300").waitFor()
  await page.getByLabel("From offset").fill("120")
  await page.keyboard.press("Enter")
  await page.getByText("120–169 of 300").waitFor()
  await page.getByRole("button", { name: "First", exact: true }).click()
  await page.getByText("0–49 of 300").waitFor()
  await page.getByLabel("From this time on").fill("2001-02-03T04:05:06")
  await page.getByText("0–49 of 300").waitFor()
  await page.getByLabel("From this time on").fill("2099-02-03T04:05:06")
  await page.getByText("No message came at that time or later").waitFor()
  await page.getByLabel("Search messages").fill("event 299")
  await page.keyboard.press("Enter")
  await page.getByText("1 found in 300 messages").waitFor()
  await row(page, "event 299").click()
  await page.getByRole("region", { name: "Message 299" }).getByText("Offset").waitFor()
  assert.equal(queueOf("read")?.readyCount, 300)
  assert.deepEqual(problems, [])
})

test("a stream is published to, paused, resumed and deleted", async () => {
  await stream("acted-on", 1)
  const { page, problems } = await ui.open("/streams/%2F/acted-on?tab=publish")
  await page.getByLabel("Body", { exact: true }).fill("from the page")
  await page.getByRole("button", { name: "Publish", exact: true }).click()
  await eventually(() => assert.equal(queueOf("acted-on")?.readyCount, 2))
  await page.getByRole("button", { name: "Pause" }).click()
  await page.getByText("Paused acted-on").waitFor()
  await page.getByRole("tab", { name: "Summary" }).click()
  await page.getByText("It is paused.").waitFor()
  await page.getByRole("button", { name: "Resume", exact: true }).click()
  await page.getByText("Nobody reads.").waitFor()
  await page.locator("details.menu summary", { hasText: "More" }).click()
  await page.getByRole("button", { name: "Delete", exact: true }).click()
  const dialog = page.getByRole("dialog", { name: "Delete acted-on" })
  await dialog.getByLabel("Type acted-on to go on").fill("acted-on")
  await dialog.getByRole("button", { name: "Delete stream" }).click()
  await page.getByRole("heading", { level: 1, name: "Streams" }).waitFor()
  assert.equal(queueOf("acted-on"), undefined)
  assert.deepEqual(
    problems.filter((text) => !text.includes("404")),
    [],
  )
})

test("the address of a queue that is a stream leads to its page", async () => {
  await stream("moved", 1)
  const { page } = await ui.open("/queues/%2F/moved")
  await page.waitForURL(/#\/streams\/%2F\/moved/)
  await page.getByRole("link", { name: "Streams" }).first().waitFor()
})
