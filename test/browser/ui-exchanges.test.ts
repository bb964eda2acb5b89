/** Exchanges in the UI: list, add, delete; bindings both ways; publishing with what became of the message. */
import assert from "node:assert/strict"
import { after, before, test } from "node:test"
import type { Channel } from "amqplib"
import { startUi } from "../support/ui.ts"
import type { Ui } from "../support/ui.ts"
import type { Vhost } from "../../src/broker/vhost.ts"

let ui: Ui
let channel: Channel

before(async () => {
  ui = await startUi()
  channel = await (await ui.client("exchanges")).createChannel()
})
after(() => ui.close())

function vhost(): Vhost {
  const found = ui.running.broker.vhosts.get("/")
  assert.ok(found !== undefined)
  return found
}

test("an exchange is added with arguments, and what the broker refuses is not lost", async () => {
  const { page, problems } = await ui.open("/exchanges")
  await page.getByRole("link", { name: "(default)" }).waitFor()
  await page.getByRole("button", { name: "Add exchange" }).click()
  const dialog = page.getByRole("dialog", { name: "Add exchange" })
  await dialog.getByLabel("Name", { exact: true }).first().fill("amq.mine")
  await dialog.getByLabel("Type").selectOption("topic")
  await dialog.getByText("the binding key is a pattern").waitFor()
  await dialog.getByLabel("Internal").check()
  await dialog.getByRole("button", { name: "x-alternate-exchange" }).click()
  await dialog.getByLabel("Value of x-alternate-exchange").fill("amq.fanout")
  await dialog.getByText("Where messages go that no binding matches").waitFor()
  await dialog.getByRole("button", { name: "Add exchange" }).click()
  await dialog.getByRole("alert").waitFor()
  assert.equal(await dialog.getByLabel("Value of x-alternate-exchange").inputValue(), "amq.fanout")
  await dialog.getByLabel("Name", { exact: true }).first().fill("added")
  await dialog.getByRole("button", { name: "Add exchange" }).click()
  await page.getByText("Added added").waitFor()
  const made = vhost().exchanges.get("added")
  assert.deepEqual(
    [made?.type, made?.durable, made?.internal, made?.alternateExchange],
    ["topic", true, true, "amq.fanout"],
  )
  await page.getByRole("button", { name: "Add exchange" }).click()
  await dialog.getByLabel("Name", { exact: true }).first().fill("late")
  await dialog.getByLabel("Type").selectOption("x-delayed-message")
  await dialog.getByRole("button", { name: "Add exchange" }).click()
  await dialog.getByText("needs the argument x-delayed-type").waitFor()
  await dialog.getByRole("button", { name: "x-delayed-type" }).click()
  await dialog.getByRole("button", { name: "Add exchange" }).click()
  await page.getByText("Added late").waitFor()
  assert.deepEqual(
    problems.filter((text) => !/40[01]/.test(text)),
    [],
  )
})

test("several exchanges are deleted after what is typed; the broker's own stay", async () => {
  for (const name of ["bulk-a", "bulk-b"]) await channel.assertExchange(name, "fanout")
  const { page, problems } = await ui.open("/exchanges?name=bulk-")
  await page.getByText(/^2 exchanges/).waitFor()
  await page.getByRole("checkbox", { name: "Select all of this page" }).check()
  await page.getByRole("button", { name: "Delete" }).click()
  const dialog = page.getByRole("dialog", { name: "Delete 2 exchanges" })
  const sure = dialog.getByRole("button", { name: "Delete 2 exchanges" })
  assert.equal(await sure.isEnabled(), false)
  await dialog.getByLabel("Type 2 to go on").fill("2")
  await sure.click()
  await page.getByText("Deleted 2 exchanges").waitFor()
  assert.equal(vhost().exchanges.has("bulk-a"), false)
  await page.getByRole("button", { name: "Clear the filter" }).click()
  await page.getByRole("checkbox", { name: "Select //amq.topic" }).check()
  await page.getByRole("button", { name: "Delete" }).click()
  await page.getByText("belong to the broker and stay").waitFor()
  assert.deepEqual(problems, [])
})

test("bindings are added with names offered, filtered, and removed in both directions", async () => {
  await channel.assertExchange("binds", "topic")
  await channel.assertExchange("binds-2", "fanout")
  await channel.assertQueue("bound-queue")
  const { page, problems } = await ui.open("/exchanges/%2F/binds")
  await page.getByText("Nothing is bound to this exchange").waitFor()
  await page.getByRole("button", { name: "Add a binding" }).click()
  const dialog = page.getByRole("dialog", { name: "Add binding from binds" })
  await dialog.getByLabel("Queue").fill("bound-q")
  await dialog.locator("datalist option[value='bound-queue']").waitFor({ state: "attached" })
  await dialog.getByLabel("Binding key").fill("eu.#")
  await dialog.getByRole("button", { name: "Add binding" }).click()
  await dialog.getByRole("alert").waitFor()
  assert.equal(await dialog.getByLabel("Binding key").inputValue(), "eu.#")
  await dialog.getByLabel("Queue").fill("bound-queue")
  await dialog.getByRole("button", { name: "Add binding" }).click()
  await page.getByText("Bound bound-queue").waitFor()
  await page.locator("tbody tr", { hasText: "eu.#" }).waitFor()
  await page.getByRole("button", { name: "Add binding" }).click()
  await dialog.getByLabel("To", { exact: true }).selectOption("exchange")
  await dialog.getByLabel("Exchange").fill("binds-2")
  await dialog.getByRole("button", { name: "Add binding" }).click()
  await page.getByText("Bound binds-2").waitFor()
  await page.getByText(/^2 bindings/).waitFor()
  await page.getByRole("searchbox").fill("binds-")
  await page.getByText("1 binding (2 in all)").waitFor()
  await page.getByRole("link", { name: "binds-2" }).click()
  await page.getByRole("tab", { name: "Sources" }).click()
  assert.match(page.url(), /tab=sources/)
  await page.locator("tbody tr", { hasText: "binds" }).waitFor()
  await page.getByRole("button", { name: "Unbind binds", exact: true }).click()
  await page
    .getByRole("dialog", { name: "Remove 1 binding" })
    .getByRole("button", { name: "Remove 1 binding" })
    .click()
  await page.getByText("No exchange sends to this one").waitFor()
  await page.goto(`${ui.origin}/#/exchanges/%2F/binds`)
  await page.getByRole("checkbox", { name: /^Select binds queue bound-queue/ }).check()
  await page.getByRole("button", { name: "Unbind", exact: true }).click()
  await page
    .getByRole("dialog", { name: "Remove 1 binding" })
    .getByRole("button", { name: "Remove 1 binding" })
    .click()
  await page.getByText("Nothing is bound to this exchange").waitFor()
  assert.equal(vhost().exchanges.get("binds")?.bindings.size, 0)
  assert.deepEqual(
    problems.filter((text) => !text.includes("404")),
    [],
  )
})

test("a message is published with properties and headers, and the outcome is told", async () => {
  await channel.assertExchange("out", "direct")
  for (const name of ["out-1", "out-2"]) {
    await channel.assertQueue(name)
    await channel.bindQueue(name, "out", "both")
  }
  await channel.assertQueue("out-3")
  await channel.bindQueue("out-3", "out", "copy")
  const { page, problems } = await ui.open("/exchanges/%2F/out?tab=publish")
  await page.getByLabel("Routing key").fill("both")
  await page.getByLabel("The body is").selectOption("base64")
  await page.getByLabel("Body", { exact: true }).fill("aGVsbG8=")
  await page.getByRole("button", { name: "CC", exact: true }).click()
  await page.getByLabel("Value of CC").fill('["copy"]')
  await page.getByRole("button", { name: "content_type" }).click()
  await page.getByLabel("Value of content_type").fill("text/plain")
  await page.getByRole("button", { name: "Publish message" }).click()
  await page.getByText("Routed to 3 queues:").waitFor()
  const message = await channel.get("out-3", { noAck: true })
  assert.ok(message !== false)
  assert.equal(message.content.toString(), "hello")
  assert.equal(message.properties.contentType, "text/plain")
  assert.equal(message.properties.deliveryMode, 2)
  assert.deepEqual(message.properties.headers, { CC: ["copy"] })
  await page.getByRole("button", { name: "Remove CC" }).click()
  await page.getByLabel("Routing key").fill("nowhere")
  await page.getByRole("button", { name: "Publish message" }).click()
  await page.getByText("Unroutable: no queue took the message.").waitFor()
  await page.getByLabel("Body", { exact: true }).fill("no base64!")
  await page.getByRole("button", { name: "Publish message" }).click()
  await page.getByText("The body is no base64").waitFor()
  assert.equal(await page.getByLabel("Routing key").inputValue(), "nowhere")
  assert.deepEqual(problems, [])
})

test("the default exchange explains itself; a delayed one says how long a message waits; deleting goes back", async () => {
  const { page, problems } = await ui.open("/exchanges")
  await page.getByRole("link", { name: "(default)" }).click()
  await page.getByRole("heading", { level: 1, name: "(default)" }).waitFor()
  await page.getByText("Every queue is bound to the default exchange").waitFor()
  assert.equal(await page.getByRole("button", { name: "Delete" }).count(), 0)
  await channel.assertExchange("slow", "x-delayed-message", {
    arguments: { "x-delayed-type": "fanout" },
  })
  await channel.assertQueue("slow-queue")
  await channel.bindQueue("slow-queue", "slow", "")
  await page.goto(`${ui.origin}/#/exchanges/%2F/slow?tab=publish`)
  await page.getByRole("button", { name: "x-delay", exact: true }).click()
  await page.getByLabel("Value of x-delay").fill("60000")
  await page.getByRole("button", { name: "Publish message" }).click()
  await page.getByText("The message waits 1 min.").waitFor()
  await page.getByRole("tab", { name: "Delayed messages" }).click()
  await page.getByRole("table", { name: "Messages" }).getByText("slow").waitFor()
  assert.equal(await page.getByRole("columnheader", { name: "Due" }).count(), 1)
  await page.getByRole("button", { name: "Delete" }).click()
  const dialog = page.getByRole("dialog", { name: "Delete 1 exchange" })
  await dialog.getByLabel("Type slow to go on").fill("slow")
  await dialog.getByRole("button", { name: "Delete 1 exchange" }).click()
  await page.getByRole("heading", { level: 1, name: "Exchanges" }).waitFor()
  assert.equal(vhost().exchanges.has("slow"), false)
  await page.goto(`${ui.origin}/#/exchanges/%2F/never-there`)
  await page.getByText("There is no such exchange").waitFor()
  assert.deepEqual(
    problems.filter((text) => !text.includes("404")),
    [],
  )
})
