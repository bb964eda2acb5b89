/** Shovels and federation in a real browser: every field, every action, and brokers that have neither. */
import assert from "node:assert/strict"
import { after, before, test } from "node:test"
import type { Page } from "playwright-core"
import { eventually } from "../support/eventually.ts"
import { ask, confirmTyped, openUi, rowOf, startUi, unexpected, visit } from "../support/ui.ts"
import type { Ui } from "../support/ui.ts"

let ui: Ui
let origin = ""

before(async () => {
  ui = await startUi()
  ;({ origin } = ui)
  for (const name of ["from", "to"])
    ui.running.broker.vhosts
      .get("/")
      ?.declareQueue(
        { name, durable: true, exclusive: false, autoDelete: false, arguments: new Map() },
        null,
      )
})

after(() => ui.running.close())

const button = (page: Page, name: string): ReturnType<Page["getByRole"]> =>
  page.getByRole("button", { name, exact: true })

async function parameter(page: Page, path: string): Promise<unknown> {
  const { value } = await ask<{ readonly value: unknown }>(page, origin, `parameters/${path}`)
  return value
}

test("a shovel is added, moves messages, is paused, resumed, restarted, and deleted", async () => {
  const { page, problems } = await openUi(origin, "/shovels")
  await page.getByText("No shovels").waitFor()
  await button(page, "Add shovel").click()
  const form = page.getByRole("dialog", { name: "Add shovel" })
  await form.getByLabel("Name", { exact: true }).first().fill("mover")
  await form.getByLabel("Source queue").fill("from")
  await form.getByLabel("Destination queue").fill("to")
  await form.getByLabel("Source URI").fill("nonsense://x")
  await form.getByRole("button", { name: "Add shovel" }).click()
  await form.getByRole("alert").waitFor()
  assert.equal(await form.getByLabel("Destination queue").inputValue(), "to")
  await form.getByLabel("Source URI").fill("amqp://")
  await form.getByRole("button", { name: "dest-add-timestamp-header" }).click()
  await form.getByText("x-shovelled-timestamp").waitFor()
  await form.getByRole("button", { name: "Add shovel" }).click()
  await page.getByText("Added mover").waitFor()
  assert.deepEqual(await parameter(page, "shovel/%2F/mover"), {
    "src-uri": "amqp://",
    "src-queue": "from",
    "dest-uri": "amqp://",
    "dest-queue": "to",
    "src-prefetch-count": 1000,
    "reconnect-delay": 5,
    "ack-mode": "on-confirm",
    "dest-add-timestamp-header": true,
  })
  await rowOf(page, "mover").getByText("running").waitFor()
  await page.request.post(`${origin}/api/exchanges/%2F/amq.default/publish`, {
    data: { routing_key: "from", payload: "hello", payload_encoding: "string", properties: {} },
  })
  const target = ui.running.broker.vhosts.get("/")?.queues.get("to")
  await eventually(() => assert.equal(target?.readyCount, 1))
  for (const [verb, done, state] of [
    ["Pause", "Paused", "paused"],
    ["Resume", "Resumed", "running"],
    ["Restart", "Restarted", "running"],
  ] as const) {
    await page.getByRole("checkbox", { name: "Select //mover" }).check()
    await button(page, verb).click()
    await page.getByText(`${done} 1 shovel`).waitFor()
    await rowOf(page, "mover").getByText(state).waitFor()
  }
  await page.getByRole("checkbox", { name: "Select //mover" }).check()
  await button(page, "Delete").click()
  await confirmTyped(page, "mover", "Delete 1 shovel")
  await page.getByText("No shovels").waitFor()
  assert.deepEqual(unexpected(problems, [400]), [])
})

test("passwords are not shown, and stay when another field is changed", async () => {
  const { page } = await openUi(origin, "/shovels")
  const value = {
    "src-uri": ["amqp://app:s3cret@127.0.0.1:1/x", "amqp://app:0ther-pw@127.0.0.1:2"],
    "src-queue": "events",
    "src-consumer-args": { "x-stream-offset": "first", "x-priority": 3 },
    "dest-uri": "https://hook:t0ken@127.0.0.1:1/in",
    "src-delete-after": 5,
  }
  const answer = await page.request.put(`${origin}/api/parameters/shovel/%2F/remote`, {
    data: { value },
  })
  assert.equal(answer.status(), 201, await answer.text())
  await button(page, "Refresh now (r)").click()
  await rowOf(page, "remote").waitFor()
  for (const secret of ["s3cret", "0ther-pw", "t0ken"])
    assert.equal((await page.content()).includes(secret), false, secret)
  await button(page, "remote").click()
  const form = page.getByRole("dialog", { name: "Edit remote" })
  assert.equal(
    await form.getByLabel("Source URI").inputValue(),
    "amqp://app:••••@127.0.0.1:1/x\namqp://app:••••@127.0.0.1:2",
  )
  assert.equal(await form.getByLabel("Offset").inputValue(), "first")
  assert.equal(await form.getByLabel("Value of src-delete-after").inputValue(), "5")
  assert.equal(await form.getByLabel("Destination queue").count(), 0)
  await form.getByLabel("Offset").fill("42")
  await form.getByRole("button", { name: "Save shovel" }).click()
  await page.getByText("Changed remote").waitFor()
  assert.deepEqual(await parameter(page, "shovel/%2F/remote"), {
    ...value,
    "src-consumer-args": { "x-stream-offset": 42, "x-priority": 3 },
    "src-prefetch-count": 1000,
    "reconnect-delay": 5,
    "ack-mode": "on-confirm",
  })
})

test("upstreams and sets of them are added, changed and deleted", async () => {
  const { page, problems } = await openUi(origin, "/federation")
  await page.getByRole("tab", { name: "Upstreams" }).click()
  await page.getByText("No upstreams").waitFor()
  await button(page, "Add upstream").click()
  const form = page.getByRole("dialog", { name: "Add upstream" })
  await form.getByLabel("Name", { exact: true }).first().fill("north")
  await form.getByLabel("URI").fill("amqp://app:s3cret@127.0.0.1:1/north")
  await form.getByRole("button", { name: "max-hops" }).click()
  await form.getByLabel("Value of max-hops").fill("2")
  await form.getByRole("button", { name: "Add upstream" }).click()
  await rowOf(page, "amqp://app:••••@127.0.0.1:1/north").waitFor()
  await button(page, "north").click()
  const edit = page.getByRole("dialog", { name: "Edit north" })
  await edit.getByLabel("Prefetch").fill("50")
  await edit.getByRole("button", { name: "Save upstream" }).click()
  await page.getByText("Changed north").waitFor()
  assert.deepEqual(await parameter(page, "federation-upstream/%2F/north"), {
    uri: "amqp://app:s3cret@127.0.0.1:1/north",
    "prefetch-count": 50,
    "reconnect-delay": 5,
    "ack-mode": "on-confirm",
    "max-hops": 2,
  })
  await page.getByRole("tab", { name: "Upstream sets" }).click()
  await button(page, "Add upstream set").click()
  const set = page.getByRole("dialog", { name: "Add upstream set" })
  await set.getByLabel("Name").fill("all-north")
  await set.getByRole("button", { name: "Add upstream set" }).click()
  await set.getByText("Choose at least one upstream.").waitFor()
  await set.getByRole("button", { name: "north", exact: true }).click()
  await set.getByRole("button", { name: "Add upstream set" }).click()
  await rowOf(page, "all-north").waitFor()
  assert.deepEqual(await parameter(page, "federation-upstream-set/%2F/all-north"), [
    { upstream: "north" },
  ])
  await button(page, "all-north").click()
  const edited = page.getByRole("dialog", { name: "Edit all-north" })
  const keys = edited.getByRole("group", { name: "In this set, instead of what north says" })
  await keys.getByRole("button", { name: "max-hops" }).click()
  await keys.getByLabel("Value of max-hops").fill("many")
  await edited.getByRole("button", { name: "Save upstream set" }).click()
  await edited.getByText("north: max-hops: this must be a number.").waitFor()
  await keys.getByLabel("Value of max-hops").fill("3")
  await edited.getByRole("button", { name: "Save upstream set" }).click()
  await page.getByText("Changed all-north").waitFor()
  assert.deepEqual(await parameter(page, "federation-upstream-set/%2F/all-north"), [
    { upstream: "north", "max-hops": 3 },
  ])
  await page.getByRole("checkbox", { name: "Select //all-north" }).check()
  await button(page, "Delete").click()
  await confirmTyped(page, "all-north", "Delete 1 upstream set")
  await page.getByText("No upstream sets").waitFor()
  await page.getByRole("tab", { name: "Upstreams" }).click()
  await page.getByRole("checkbox", { name: "Select //north" }).check()
  await button(page, "Delete").click()
  await confirmTyped(page, "north", "Delete 1 upstream")
  await page.getByText("No upstreams").waitFor()
  assert.deepEqual(unexpected(problems, [404]), [])
})

test("links are listed with what is wrong with them", async () => {
  const { page } = await openUi(origin, "/")
  const link = {
    vhost: "/",
    upstream: "south",
    type: "exchange",
    exchange: "events",
    uri: "amqp://app:s3cret@127.0.0.1:1",
    status: "error",
    error: "ACCESS_REFUSED",
  }
  await page.route("**/api/federation-links", (route) => route.fulfill({ json: [link] }))
  await visit(page, origin, "/federation")
  await rowOf(page, "south").getByText("ACCESS_REFUSED").waitFor()
  await page.getByRole("link", { name: "events" }).waitFor()
  assert.equal((await page.content()).includes("s3cret"), false)
})

test("a broker that runs neither says so; what it keeps is still there", async () => {
  const { page } = await openUi(origin, "/")
  const missing = { status: 404, json: { error: "Object Not Found", reason: "Not Found" } }
  await page.route("**/api/shovels", (route) => route.fulfill(missing))
  await page.route("**/api/federation-links", (route) => route.fulfill(missing))
  await visit(page, origin, "/shovels")
  await page.getByText("This broker does not run shovels.").waitFor()
  await rowOf(page, "remote").getByText("not known").waitFor()
  await visit(page, origin, "/federation")
  await page.getByText("This broker does not run federation").waitFor()
})
