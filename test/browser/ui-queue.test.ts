/** The page of a queue and the page of unacked messages: what they show of real traffic, and every action. */
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
  channel = await (await ui.client("queue-pages")).createChannel()
})
after(() => ui.close())

const row = (page: Page, text: string): ReturnType<Page["locator"]> =>
  page.locator("tbody tr", { hasText: text })

const queueOf = (name: string) => ui.running.broker.vhosts.get("/")?.queues.get(name)

async function fill(name: string, count: number, options = {}): Promise<void> {
  await channel.assertQueue(name, options)
  for (let i = 0; i < count; i++) channel.sendToQueue(name, Buffer.from(`message ${String(i)}`))
  await eventually(() => assert.equal(queueOf(name)?.readyCount, count))
}

async function openMenu(page: Page, item: string): Promise<void> {
  await page.locator("details.menu summary", { hasText: "More" }).click()
  await page.getByRole("button", { name: item, exact: true }).click()
}

test("the summary shows counts, bytes, charts, arguments with their meaning, and the policy", async () => {
  await fill("summary", 7, { arguments: { "x-max-length": 100, "x-message-ttl": 60_000 } })
  const policies = `${ui.origin}/api/policies/%2F/limit-summary`
  const { page, problems } = await ui.open("/queues")
  const policy = { pattern: "^summary$", definition: { "max-length": 50 }, "apply-to": "queues" }
  await page.request.put(policies, { data: policy })
  await row(page, "summary").getByRole("link").first().click()
  await page.getByRole("heading", { level: 1, name: "summary" }).waitFor()
  assert.equal(await page.title(), "summary · Sluice")
  await page.locator(".tile", { hasText: "Ready" }).getByText("7", { exact: true }).waitFor()
  await page.getByRole("img", { name: /^Chart: Queued messages/ }).waitFor()
  await page.getByRole("img", { name: /^Chart: Message rates/ }).waitFor()
  const chart = page.locator(".chart").first()
  assert.equal(await chart.getByRole("button", { pressed: true }).count(), 2)
  await chart.getByRole("button", { name: "Unacked" }).click()
  await chart.locator("button[aria-pressed=false]").waitFor()
  assert.equal(await chart.getByRole("button", { pressed: true }).count(), 1)
  await chart.getByRole("img").hover()
  await chart
    .getByRole("listitem")
    .getByText(/^\d\d:\d\d:\d\d$/)
    .waitFor()
  await row(page, "Total").getByText("63 B").waitFor()
  const settings = page.locator(".panel", { hasText: "Settings" })
  await settings.locator("dt", { hasText: "x-message-ttl" }).waitFor()
  await settings.locator("dd code", { hasText: "60000" }).waitFor()
  await settings.getByText("policy, too").first().waitFor()
  await settings.getByRole("link", { name: "limit-summary" }).waitFor()
  assert.deepEqual(problems, [])
})

test("a queue that does not exist says so and leads back", async () => {
  const { page } = await ui.open("/queues/%2F/nowhere")
  await page.getByText("There is no such queue").waitFor()
  await page.getByRole("link", { name: "All queues" }).click()
  await page.getByRole("heading", { level: 1, name: "Queues" }).waitFor()
})

test("why it is stuck: paused, with the button that resumes it", async () => {
  await fill("stopped", 2)
  const { page, problems } = await ui.open("/queues/%2F/stopped")
  await page.getByText("Nobody consumes.").waitFor()
  await page.getByRole("button", { name: "Pause" }).click()
  await page.getByText("It is paused.").waitFor()
  assert.equal(queueOf("stopped")?.isPaused, true)
  await page.getByRole("button", { name: "Resume delivery" }).click()
  await page.getByText("Nobody consumes.").waitFor()
  assert.equal(queueOf("stopped")?.isPaused, false)
  await page.getByRole("link", { name: "Look at the messages" }).click()
  await page.getByRole("table", { name: "Messages" }).waitFor()
  assert.deepEqual(problems, [])
})

test("why it is stuck: consumers that keep as much as they may, who they are, and cancelling one", async () => {
  await fill("kept", 9)
  const consumer = await (await ui.client("keeper-app")).createChannel()
  await consumer.prefetch(3)
  await consumer.consume("kept", () => {}, { consumerTag: "keeper" })
  const { page, problems } = await ui.open("/queues/%2F/kept")
  await page.getByText("All consumers have as much as their prefetch allows.").waitFor()
  await page.getByText("holds 3 of 3").waitFor()
  await page.getByRole("link", { name: "Show who holds them" }).click()
  await row(page, "keeper")
    .getByText(/\d+ (ms|s|min)|just now/)
    .waitFor()
  await page.getByRole("link", { name: "Look at the messages" }).click()
  await row(page, "keeper").first().waitFor()
  await page.getByRole("tab", { name: /Consumers/ }).click()
  await page.getByRole("button", { name: "Cancel keeper" }).click()
  await page.getByRole("dialog").getByRole("button", { name: "Cancel 1 consumer" }).click()
  await page.getByText("Cancelled 1 consumer").waitFor()
  await page.getByText("No consumers").waitFor()
  assert.equal(queueOf("kept")?.consumerCount, 0)
  assert.deepEqual(problems, [])
})

test("unacked messages of all queues, the longest held first", async () => {
  await fill("long-held", 4)
  const holder = await (await ui.client("holder-app")).createChannel()
  await holder.prefetch(2)
  await holder.consume("long-held", () => {}, { consumerTag: "sleeper" })
  const { page, problems } = await ui.open("/unacked")
  const found = row(page, "sleeper")
  await found.waitFor()
  assert.match(await found.innerText(), /long-held[\s\S]*guest[\s\S]*2[\s\S]*2/)
  await page.getByRole("searchbox").fill("long-h")
  await page.getByText(/^1 holder/).waitFor()
  await found.getByRole("link", { name: "long-held" }).click()
  await page.getByRole("tab", { name: /Unacked/, selected: true }).waitFor()
  assert.deepEqual(problems, [])
  await holder.close()
})

test("bindings are added, unbound, and the default one is told as text", async () => {
  await channel.assertQueue("bound")
  const { page, problems } = await ui.open("/queues/%2F/bound?tab=bindings")
  await row(page, "every queue has this binding").waitFor()
  await page.getByRole("button", { name: "Add binding" }).click()
  const form = page.getByRole("dialog", { name: "Bind bound" })
  await form.getByLabel("From exchange").fill("amq.nothing")
  await form.getByLabel("Binding key").fill("order.#")
  await form.getByRole("button", { name: "Add binding" }).click()
  await form.getByRole("alert").waitFor()
  assert.equal(await form.getByLabel("Binding key").inputValue(), "order.#")
  await form.getByLabel("From exchange").fill("amq.topic")
  await form.getByRole("button", { name: "Add binding" }).click()
  await page.getByText("Bound bound to amq.topic").waitFor()
  channel.publish("amq.topic", "order.new", Buffer.from("x"))
  await eventually(() => assert.equal(queueOf("bound")?.readyCount, 1))
  await page.getByRole("button", { name: "Unbind amq.topic order.#" }).click()
  await page.getByRole("dialog").getByRole("button", { name: "Remove 1 binding" }).click()
  await page.getByText("Removed 1 binding").waitFor()
  await page.getByText(/^1 binding/).waitFor()
  assert.deepEqual(
    problems.filter((text) => !text.includes("404")),
    [],
  )
})

test("a message is published with headers, properties and a checked body", async () => {
  await channel.assertQueue("target")
  const { page, problems } = await ui.open("/queues/%2F/target?tab=publish")
  await page.getByLabel("The body is").selectOption("json")
  await page.getByLabel("Body", { exact: true }).fill('{"a":')
  await page.getByRole("button", { name: "priority" }).click()
  await page.getByLabel("Value of priority").fill("7")
  const headers = page.getByRole("group", { name: "Headers", exact: true })
  await headers.getByRole("button", { name: "another one" }).click()
  await headers.getByLabel("Name").fill("tenant")
  await headers.getByLabel("Value of tenant").fill("berlin")
  await page.getByRole("button", { name: "Publish", exact: true }).click()
  await page.getByText("The body is no JSON").waitFor()
  await page.getByLabel("Body", { exact: true }).fill('{"a":1}')
  await page.getByRole("button", { name: "Publish", exact: true }).click()
  await page.getByText("Published, a queue has it").waitFor()
  const message = await channel.get("target", { noAck: true })
  assert.ok(message !== false)
  assert.equal(message.content.toString(), '{"a":1}')
  const { contentType, priority, deliveryMode, headers: got } = message.properties
  assert.deepEqual(
    [contentType, priority, deliveryMode, got],
    ["application/json", 7, 2, { tenant: "berlin" }],
  )
  await page.getByLabel("The body is").selectOption("base64")
  await page.getByLabel("Body", { exact: true }).fill("AAEC")
  await page.getByRole("button", { name: "Publish", exact: true }).click()
  await eventually(() => assert.equal(queueOf("target")?.readyCount, 1))
  const second = await channel.get("target", { noAck: true })
  assert.ok(second !== false)
  assert.deepEqual([...second.content], [0, 1, 2])
  assert.deepEqual(problems, [])
})

test("messages are taken in each way, and the form says what each way changes", async () => {
  await channel.assertExchange("got-dead", "fanout")
  await channel.assertQueue("got-failures")
  await channel.bindQueue("got-failures", "got-dead", "")
  await fill("got", 5, { deadLetterExchange: "got-dead" })
  const { page, problems } = await ui.open("/queues/%2F/got?tab=get")
  await page.getByText("marked as redelivered").waitFor()
  await page.getByRole("button", { name: "Get messages" }).click()
  await page.locator("details.taken").getByText("message 0").first().waitFor()
  assert.equal(queueOf("got")?.readyCount, 5)
  await page.getByLabel("How", { exact: true }).selectOption("ack_requeue_false")
  await page.getByLabel("How many").fill("2")
  await page.getByText("gone from the queue for good").first().waitFor()
  await page.getByRole("button", { name: "Get messages" }).click()
  await page.getByRole("dialog").getByRole("button", { name: "Take 2 messages" }).click()
  await page.getByText("Message 2").waitFor()
  assert.equal(queueOf("got")?.readyCount, 3)
  await page.getByLabel("How", { exact: true }).selectOption("reject_requeue_false")
  await page.getByText("dead-letter exchange got-dead").waitFor()
  await page.getByLabel("How many").fill("1")
  await page.getByRole("button", { name: "Get messages" }).click()
  await page.getByRole("dialog").getByRole("button", { name: "Take 1 message" }).click()
  await eventually(() => assert.equal(queueOf("got-failures")?.readyCount, 1))
  await page.getByLabel("How", { exact: true }).selectOption("reject_requeue_true")
  await page.getByRole("button", { name: "Get messages" }).click()
  await page.getByText("message 3").first().waitFor()
  await page.getByRole("button", { name: "Get messages" }).click()
  await page.getByText("redelivered", { exact: true }).first().waitFor()
  assert.equal(queueOf("got")?.readyCount, 2)
  assert.deepEqual(problems, [])
})

test("the oldest messages are purged, then all, after the name was typed", async () => {
  await fill("purged", 10)
  const { page, problems } = await ui.open("/queues/%2F/purged")
  await page.getByRole("button", { name: "Purge" }).click()
  const dialog = page.getByRole("dialog", { name: "Purge purged" })
  await dialog.getByLabel("Which").selectOption("first")
  await dialog.getByLabel("How many").fill("4")
  await dialog.getByLabel("Type purged to go on").fill("purge")
  await dialog.getByRole("button", { name: "Purge" }).click()
  await dialog.getByRole("alert").getByText("Type purged to go on").waitFor()
  assert.equal(queueOf("purged")?.readyCount, 10)
  await dialog.getByLabel("Type purged to go on").fill("purged")
  await dialog.getByRole("button", { name: "Purge" }).click()
  await page.getByText("Deleted the first 4 messages").waitFor()
  assert.equal(queueOf("purged")?.readyCount, 6)
  await page.getByRole("button", { name: "Purge" }).click()
  await dialog.getByLabel("Type purged to go on").fill("purged")
  await dialog.getByRole("button", { name: "Purge" }).click()
  await page.getByText("Purged purged").waitFor()
  assert.equal(queueOf("purged")?.readyCount, 0)
  assert.deepEqual(problems, [])
})

test("a queue is restarted and deleted", async () => {
  await fill("restarted", 3)
  const { page, problems } = await ui.open("/queues/%2F/restarted")
  await openMenu(page, "Restart")
  await page.getByRole("dialog").getByRole("button", { name: "Restart queue" }).click()
  await page.getByText("Restarted restarted").waitFor()
  assert.equal(queueOf("restarted")?.readyCount, 3)
  await openMenu(page, "Delete")
  const dialog = page.getByRole("dialog", { name: "Delete restarted" })
  await dialog.getByLabel("Only if it has no messages").check()
  await dialog.getByLabel("Type restarted to go on").fill("restarted")
  await dialog.getByRole("button", { name: "Delete queue" }).click()
  await dialog.getByRole("alert").waitFor()
  await dialog.getByLabel("Only if it has no messages").uncheck()
  await dialog.getByRole("button", { name: "Delete queue" }).click()
  await page.getByRole("heading", { level: 1, name: "Queues" }).waitFor()
  assert.equal(queueOf("restarted"), undefined)
  assert.deepEqual(
    problems.filter((text) => !/40[04]/.test(text)),
    [],
  )
})

test("dead letters are counted first, then sent back to where they died; the rest stays", async () => {
  await channel.assertExchange("work", "direct")
  await channel.assertQueue("work", {
    deadLetterExchange: "",
    deadLetterRoutingKey: "work-failures",
  })
  await channel.assertQueue("work-failures")
  await channel.bindQueue("work", "work", "job")
  for (let i = 0; i < 6; i++)
    channel.publish("work", "job", Buffer.from(`job ${String(i)}`), {
      headers: { tenant: i < 4 ? "berlin" : "paris" },
    })
  await eventually(() => assert.equal(queueOf("work")?.readyCount, 6))
  for (let i = 0; i < 6; i++) {
    const message = await channel.get("work")
    assert.ok(message !== false)
    channel.reject(message, false)
  }
  await eventually(() => assert.equal(queueOf("work-failures")?.readyCount, 6))
  const { page, problems } = await ui.open("/queues/%2F/work-failures")
  await openMenu(page, "Send dead letters back")
  const dialog = page.getByRole("dialog", { name: "Send dead letters of work-failures back" })
  await dialog.getByLabel("Died because").selectOption("rejected")
  await dialog.getByRole("button", { name: "another one" }).click()
  await dialog.getByLabel("Name").fill("tenant")
  await dialog.getByLabel("Value of tenant").fill("berlin")
  await dialog.getByLabel("Here for at least").fill("soon")
  await dialog.getByRole("button", { name: "Count them" }).click()
  await dialog.getByText("soon is no time").waitFor()
  await dialog.getByLabel("Here for at least").fill("")
  await dialog.getByRole("button", { name: "Count them" }).click()
  await dialog.getByText("4 messages of 6 match").waitFor()
  assert.equal(queueOf("work-failures")?.readyCount, 6)
  await dialog.getByLabel("Dry run").uncheck()
  await dialog.getByRole("button", { name: "Send back" }).click()
  await dialog.getByText("4 messages of 6 moved").waitFor()
  await eventually(() => assert.equal(queueOf("work")?.readyCount, 4))
  assert.equal(queueOf("work-failures")?.readyCount, 2)
  assert.deepEqual(problems, [])
})

test("messages are moved to another queue, as many as asked for", async () => {
  await fill("from-here", 5)
  await channel.assertQueue("to-there")
  const { page, problems } = await ui.open("/queues/%2F/from-here")
  await openMenu(page, "Move messages")
  const dialog = page.getByRole("dialog", { name: "Move messages of from-here" })
  await dialog.getByLabel("Queue", { exact: true }).fill("to-there")
  await dialog.getByLabel("At most", { exact: true }).fill("3")
  await dialog.getByLabel("Dry run").uncheck()
  await dialog.getByRole("button", { name: "Move", exact: true }).click()
  await dialog.getByText(/3 messages of \d moved/).waitFor()
  await eventually(() => assert.equal(queueOf("to-there")?.readyCount, 3))
  assert.equal(queueOf("from-here")?.readyCount, 2)
  assert.deepEqual(problems, [])
})

test("every tab fits a phone", async () => {
  await fill("narrow", 3)
  const { page, problems } = await ui.open("/queues/%2F/narrow")
  await page.setViewportSize({ width: 390, height: 844 })
  for (const tab of ["summary", "messages", "unacked", "consumers", "bindings", "publish", "get"]) {
    await page.goto(`${ui.origin}/#/queues/%2F/narrow?tab=${tab}`)
    await page.locator(".loading").first().waitFor({ state: "detached" })
    const excess = await page.evaluate<number>("document.documentElement.scrollWidth - innerWidth")
    assert.ok(excess <= 0, `${tab} is ${String(excess)} px too wide`)
  }
  assert.deepEqual(problems, [])
})
