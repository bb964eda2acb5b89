/** Connections, channels and consumers in the UI: what they show of real clients, and every action on them. */
import assert from "node:assert/strict"
import { once } from "node:events"
import { after, before, test } from "node:test"
import type { Page } from "playwright-core"
import { eventually, within } from "../support/eventually.ts"
import { startUi } from "../support/ui.ts"
import type { Ui } from "../support/ui.ts"

let ui: Ui

before(async () => {
  ui = await startUi()
})
after(() => ui.close())

const row = (page: Page, text: string): ReturnType<Page["locator"]> =>
  page.locator("tbody tr", { hasText: text })

test("connections are listed with what the client says, and found by its name and the user", async () => {
  const shop = await ui.client("shop-list")
  await shop.createChannel()
  await ui.client("mailer-list")
  const { page, problems } = await ui.open("/connections")
  const found = row(page, "shop-list")
  await found.waitFor()
  const text = await found.innerText()
  for (const part of ["guest", "running", "amqplib", "no"]) assert.ok(text.includes(part), text)
  await page.getByRole("searchbox").fill("mailer-l")
  await page.getByText(/^1 connection/).waitFor()
  await row(page, "mailer-list").waitFor()
  await page.getByRole("searchbox").fill("guest")
  await row(page, "shop-list").waitFor()
  await page.getByRole("searchbox").fill("nobody-has-this")
  await page.getByText("No connections match").waitFor()
  await page.getByRole("button", { name: "Clear the filter" }).click()
  await row(page, "shop-list").waitFor()
  await page.locator(".table-toolbar summary").click()
  await page.getByRole("checkbox", { name: "Heartbeat" }).check()
  await page.getByRole("columnheader", { name: "Heartbeat" }).waitFor()
  await row(page, "shop-list").getByText("60 s").waitFor()
  assert.deepEqual(problems, [])
})

test("one connection shows its details, properties and channels, and is closed with a reason", async () => {
  const client = await ui.client("closed-one")
  const channel = await client.createConfirmChannel()
  await channel.prefetch(7)
  const { page, problems } = await ui.open("/connections")
  await row(page, "closed-one").getByRole("link").first().click()
  await page.getByRole("heading", { level: 1, name: "closed-one" }).waitFor()
  await page.locator(".key-values", { hasText: "Login by" }).getByText("PLAIN").waitFor()
  await page
    .locator(".key-values", { hasText: "Capabilities" })
    .getByText("amqplib", { exact: true })
    .waitFor()
  await page.getByRole("img", { name: /^Chart: Data rates/ }).waitFor()
  await page.getByText("None. What is sent").waitFor()
  await page.locator("tbody tr").getByText("7", { exact: true }).waitFor()
  // amqplib takes what an operator does for no error.
  const gone = once(client, "close")
  await page.getByRole("button", { name: "Close connection" }).click()
  const dialog = page.getByRole("dialog", { name: "Close 1 connection" })
  await dialog.getByLabel("Reason").fill("moved to another broker")
  await dialog.getByRole("button", { name: "Close 1 connection" }).click()
  const [reason]: unknown[] = await within(gone, "the connection was not closed")
  assert.match(String(reason), /320.*moved to another broker/)
  await page.getByText("Closed 1 connection").waitFor()
  await page.getByText("This connection is closed").waitFor()
  // The answer that it is gone is a line of the console.
  assert.deepEqual(
    problems.filter((text) => !text.includes("404")),
    [],
  )
})

test("several connections are closed at one time, and cancelling closes none", async () => {
  const clients = [await ui.client("bulk-1"), await ui.client("bulk-2"), await ui.client("kept-3")]
  const { page, problems } = await ui.open("/connections?name=bulk-")
  await page.getByText(/^2 connections/).waitFor()
  await page.getByRole("checkbox", { name: "Select all of this page" }).check()
  await page.getByRole("button", { name: "Close", exact: true }).click()
  const dialog = page.getByRole("dialog", { name: "Close 2 connections" })
  await dialog.getByText("bulk-1").waitFor()
  await page.keyboard.press("Escape")
  await dialog.waitFor({ state: "detached" })
  assert.equal(await page.getByRole("toolbar", { name: "Selection" }).count(), 1)
  await page.getByRole("button", { name: "Close", exact: true }).click()
  await dialog.getByRole("button", { name: "Close 2 connections" }).click()
  await page.getByText("Closed 2 connections").waitFor()
  const names = (): string[] =>
    Array.from(ui.running.broker.connections, (one) => one.inspected.describe().clientName)
  await eventually(() => assert.ok(!names().some((name) => name.startsWith("bulk-"))))
  assert.ok(names().includes("kept-3"))
  await page.getByText("No connections match").waitFor()
  assert.equal(clients.length, 3)
  assert.deepEqual(problems, [])
})

test("channels show their mode and rates; one of them gets another prefetch", async () => {
  const client = await ui.client("channels")
  const channel = await client.createConfirmChannel()
  await channel.assertQueue("channel-queue")
  await channel.prefetch(3)
  await channel.consume("channel-queue", () => {}, { consumerTag: "channel-consumer" })
  for (let i = 0; i < 5; i++) channel.sendToQueue("channel-queue", Buffer.from("x"))
  await channel.waitForConfirms()
  const { page, problems } = await ui.open("/channels")
  const confirming = page.locator("tbody tr", { hasText: "Confirm mode" })
  await confirming.first().waitFor()
  const name = `${[...ui.running.broker.connections].find((one) => one.inspected.describe().clientName === "channels")?.inspected.name ?? ""} (1)`
  await page.getByRole("link", { name: name.replace(/ -> .* /, " ") }).click()
  await page.getByRole("heading", { level: 1, name }).waitFor()
  await page.locator(".tile", { hasText: "Unacked" }).getByText("3", { exact: true }).waitFor()
  await page.getByText("confirms", { exact: true }).waitFor()
  await page
    .locator("tbody tr", { hasText: "channel-consumer" })
    .getByText("channel-queue")
    .waitFor()
  await page.getByRole("button", { name: "Change prefetch" }).click()
  const dialog = page.getByRole("dialog", { name: "Change prefetch" })
  await dialog.getByLabel("Prefetch").fill("70000")
  await dialog.getByRole("button", { name: "Change prefetch" }).click()
  assert.equal(await dialog.count(), 1, "the browser refuses what is out of range")
  await dialog.getByLabel("Prefetch").fill("41")
  await dialog.getByRole("button", { name: "Change prefetch" }).click()
  await page.getByText("Changed the prefetch").waitFor()
  await page.locator(".tile", { hasText: "Prefetch" }).getByText("41").waitFor()
  await channel.consume("channel-queue", () => {}, { consumerTag: "later" })
  await page.keyboard.press("r")
  await page.locator("tbody tr", { hasText: "later" }).getByText("41").waitFor()
  await channel.close()
  await page.keyboard.press("r")
  await page.getByText("This channel is closed").waitFor()
  assert.deepEqual(
    problems.filter((text) => !text.includes("404")),
    [],
  )
})

test("consumers are found by tag and queue, and cancelled after a question", async () => {
  const client = await ui.client("consumers")
  const channel = await client.createChannel()
  await channel.assertQueue("cancel-queue")
  const cancelled: unknown[] = []
  const take = (message: unknown): void => {
    if (message === null) cancelled.push(message)
  }
  for (const tag of ["c-one", "c-two", "c-three"])
    await channel.consume("cancel-queue", take, { consumerTag: tag, noAck: tag === "c-two" })
  const { page, problems } = await ui.open("/consumers")
  await page.getByRole("searchbox").fill("cancel-queue")
  await page.waitForURL(/name=cancel-queue/)
  await page.getByText(/^3 consumers/).waitFor()
  assert.match(await row(page, "c-two").innerText(), /No ack/)
  await page.getByRole("checkbox", { name: /c-one$/ }).check()
  await page.getByRole("checkbox", { name: /c-three$/ }).check()
  await page.getByRole("button", { name: "Cancel", exact: true }).click()
  const dialog = page.getByRole("dialog", { name: "Cancel 2 consumers" })
  await dialog.getByText("c-three of cancel-queue").waitFor()
  // "Cancel" would say two things here.
  assert.equal(await dialog.getByRole("button", { name: "Keep", exact: true }).count(), 1)
  await dialog.getByRole("button", { name: "Cancel 2 consumers" }).click()
  await page.getByText("Cancelled 2 consumers").waitFor()
  await eventually(() => assert.equal(cancelled.length, 2))
  await page.getByText(/^1 consumer/).waitFor()
  await page.getByRole("link", { name: /\(1\)$/ }).click()
  await page.getByRole("button", { name: "Cancel c-two" }).click()
  await page
    .getByRole("dialog", { name: "Cancel 1 consumer" })
    .getByRole("button", { name: "Cancel 1 consumer" })
    .click()
  await page.getByText("Cancelled 1 consumer").waitFor()
  await page.getByText("No consumers", { exact: true }).waitFor()
  assert.equal(ui.running.broker.vhosts.get("/")?.queues.get("cancel-queue")?.consumerCount, 0)
  assert.deepEqual(problems, [])
})
