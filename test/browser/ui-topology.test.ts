/** The picture of a vhost and the tester of routes, by mouse and by keyboard. */
import assert from "node:assert/strict"
import { after, before, test } from "node:test"
import { startUi } from "../support/ui.ts"
import type { Ui } from "../support/ui.ts"

let ui: Ui

before(async () => {
  ui = await startUi()
  const channel = await (await ui.client("topology")).createChannel()
  await channel.assertExchange("shop", "topic", { arguments: { "x-alternate-exchange": "spare" } })
  await channel.assertExchange("eu", "topic")
  await channel.assertExchange("spare", "fanout")
  await channel.assertExchange("heads", "headers")
  for (const name of ["mail", "stock", "lost", "alone"]) await channel.assertQueue(name)
  await channel.bindExchange("eu", "shop", "eu.#")
  await channel.bindQueue("mail", "eu", "*.new")
  await channel.bindQueue("stock", "shop", "#.new")
  await channel.bindQueue("lost", "spare", "")
  await channel.bindQueue("lost", "heads", "", { "x-match": "all", level: "error" })
})
after(() => ui.close())

test("exchanges, queues and bindings are drawn, with names that can be read out", async () => {
  const { page, problems } = await ui.open("/topology")
  await page.getByRole("button", { name: "Exchange shop, topic" }).waitFor()
  await page.getByRole("button", { name: /^Queue lost, 0 messages/ }).waitFor()
  assert.equal(await page.locator(".topology-node").count(), 7)
  assert.equal(await page.locator(".topology-edge").count(), 6)
  assert.equal(await page.locator(".topology-edge.is-alternate").count(), 1)
  await page.getByText("x-match: all, level: error", { exact: true }).waitFor()
  await page.getByLabel("Show what is bound to nothing").check()
  await page.getByRole("button", { name: /^Queue alone/ }).waitFor()
  await page.getByLabel("Filter").fill("mail")
  await page.getByRole("button", { name: /^Queue stock/ }).waitFor({ state: "detached" })
  assert.equal(await page.locator(".topology-node").count(), 3)
  await page.getByLabel("Filter").fill("no such thing")
  await page.getByText("Nothing matches").waitFor()
  assert.deepEqual(problems, [])
})

test("keys go through the picture, choose a node and open its page; zoom changes the size", async () => {
  const { page, problems } = await ui.open("/topology")
  const shop = page.getByRole("button", { name: "Exchange shop, topic" })
  await shop.waitFor()
  assert.equal(await page.locator(".topology-node[tabindex='0']").count(), 1)
  await shop.focus()
  await page.keyboard.press("ArrowRight")
  const focused = (): Promise<string> => page.evaluate("document.activeElement.dataset.node")
  assert.match(await focused(), /^e (?:eu|spare)$/)
  await page.keyboard.press("ArrowRight")
  assert.match(await focused(), /^q /)
  await page.keyboard.press("ArrowLeft")
  await page.keyboard.press("ArrowLeft")
  await page.keyboard.press("ArrowDown")
  await page.keyboard.press("ArrowUp")
  await shop.focus()
  await page.keyboard.press("Enter")
  assert.equal(await shop.getAttribute("aria-pressed"), "true")
  await page.getByRole("link", { name: "Open exchange" }).waitFor()
  // Everything but heads, which leads elsewhere.
  assert.equal(await page.locator(".topology-node.is-lit").count(), 6)
  assert.equal(await page.locator(".topology-node:not(.is-lit)").count(), 1)
  const size = async (): Promise<number> =>
    Number(await page.locator("svg.topology").getAttribute("width"))
  const usual = await size()
  await page.getByRole("button", { name: "Larger" }).click()
  assert.ok((await size()) > usual)
  await page.getByRole("button", { name: "Smaller" }).click()
  assert.equal(await size(), usual)
  await page.getByRole("link", { name: "Open exchange" }).click()
  await page.getByRole("heading", { level: 1, name: "shop" }).waitFor()
  assert.deepEqual(problems, [])
})

test("the tester tells queues and bindings, shows the path in the picture, and publishes nothing", async () => {
  const { page, problems } = await ui.open("/exchanges/%2F/shop")
  await page.getByRole("button", { name: "Test routing" }).click()
  await page.getByRole("heading", { level: 1, name: "Topology" }).waitFor()
  assert.equal(await page.getByLabel("Exchange", { exact: true }).inputValue(), "shop")
  await page.getByLabel("Routing key").fill("eu.new")
  await page.getByRole("button", { name: "Test routing" }).click()
  await page.getByText("2 queues:").waitFor()
  const steps = page.getByRole("list", { name: "Bindings that the message follows" })
  assert.equal(await steps.getByRole("listitem").count(), 3)
  assert.match(await steps.innerText(), /shop → eu eu\.#/)
  assert.match(page.url(), /exchange=shop.*key=eu\.new/)
  assert.equal(await page.locator(".topology-node.is-lit").count(), 4)
  assert.equal(await page.locator(".topology-edge.is-lit").count(), 3)
  await page.getByLabel("Routing key").fill("nobody")
  await page.getByRole("button", { name: "Test routing" }).click()
  await page.getByText("1 queue:").waitFor()
  await steps.getByText("alternate").waitFor()
  await page.getByLabel("Exchange", { exact: true }).fill("heads")
  await page.getByRole("button", { name: "Test routing" }).click()
  await page.getByText("Unroutable.").waitFor()
  await page.getByRole("button", { name: "another one" }).click()
  await page.getByLabel("Name", { exact: true }).fill("level")
  await page.getByLabel("Value of level").fill("error")
  await page.getByRole("button", { name: "Test routing" }).click()
  await page.getByText("1 queue:").waitFor()
  await page.getByLabel("Exchange", { exact: true }).fill("")
  await page.getByLabel("Routing key").fill("alone")
  await page.getByRole("button", { name: "Test routing" }).click()
  await steps.getByText("by its name").waitFor()
  await page.getByLabel("Exchange", { exact: true }).fill("missing")
  await page.getByRole("button", { name: "Test routing" }).click()
  await page.getByRole("alert").waitFor()
  assert.equal(await page.getByLabel("Routing key").inputValue(), "alone")
  for (const queue of ui.running.broker.vhosts.get("/")?.queues.values() ?? [])
    assert.equal(queue.readyCount, 0)
  assert.deepEqual(
    problems.filter((text) => !text.includes("404")),
    [],
  )
})

test("a vhost with thousands of queues stays bounded and says so", async () => {
  await ui.running.administration.putVhost("large", {})
  const large = ui.running.broker.vhosts.get("large")
  assert.ok(large !== undefined)
  for (let i = 0; i < 3000; i++) {
    const name = `q${String(i)}`
    large.declareQueue(
      { name, durable: false, exclusive: false, autoDelete: false, arguments: new Map() },
      null,
    )
    large.bind(
      {
        source: "amq.topic",
        kind: 0,
        destination: name,
        routingKey: `key.${String(i)}`,
        arguments: new Map(),
      },
      null,
    )
  }
  const { page, problems } = await ui.open("/topology?vhost=large")
  await page.getByText("Showing 300 of 3,001 exchanges and queues").waitFor()
  assert.equal(await page.locator(".topology-node").count(), 300)
  await page.getByLabel("Filter").fill("q2999")
  await page.getByRole("button", { name: /^Queue q2999/ }).waitFor()
  assert.equal(await page.locator(".topology-node").count(), 2)
  assert.deepEqual(problems, [])
})
