/** The pages of administration in a real browser: users, vhosts, policies, parameters, limits, definitions, audit, nodes. */
import assert from "node:assert/strict"
import { readFile } from "node:fs/promises"
import { after, before, test } from "node:test"
import type { Page } from "playwright-core"
import { ask, confirmTyped, openUi, rowOf, startUi, unexpected, visit } from "../support/ui.ts"
import type { Ui } from "../support/ui.ts"

let ui: Ui
let origin = ""

before(async () => {
  ui = await startUi()
  ;({ origin } = ui)
  const { administration, broker } = ui.running
  await administration.putUser("policymaker", { password: "policymaker", tags: ["policymaker"] })
  await administration.putUser("monitoring", { password: "monitoring", tags: ["monitoring"] })
  for (const name of ["orders.new", "orders.paid", "emails"])
    broker.vhosts.get("/")?.declareQueue(
      {
        name,
        durable: true,
        exclusive: false,
        autoDelete: false,
        arguments: new Map(),
      },
      null,
    )
})

after(() => ui.running.close())

const button = (page: Page, name: string): ReturnType<Page["getByRole"]> =>
  page.getByRole("button", { name, exact: true })

test("a user is added with a generated password, given permissions and limits, changed, and deleted", async () => {
  const { page, problems } = await openUi(origin, "/users")
  await button(page, "Add user").click()
  const form = page.getByRole("dialog", { name: "Add user" })
  await form.getByLabel("Name").fill("app/1")
  await button(page, "Add user").last().click()
  await form.getByText("Type a password, or let one be generated.").waitFor()
  assert.equal(await form.getByLabel("Name").inputValue(), "app/1")
  await form.getByRole("button", { name: "Generate" }).click()
  const password = await form.getByLabel("Password", { exact: true }).inputValue()
  assert.match(password, /^[A-Za-z2-9]{24}$/)
  assert.equal(await form.getByLabel("Password", { exact: true }).getAttribute("type"), "text")
  await form.getByRole("button", { name: "Hide" }).click()
  assert.equal(await form.getByLabel("Password", { exact: true }).getAttribute("type"), "password")
  await form.getByRole("button", { name: "monitoring" }).click()
  await form.getByRole("button", { name: "Add user" }).click()
  await page.getByText("Added app/1").waitFor()
  assert.equal(ui.running.broker.users.get("app/1")?.tags.join(), "monitoring")
  const login = await page.request.post(`${origin}/api/auth/check`, {
    data: { username: "app/1", password },
  })
  assert.ok(login.status() < 500)
  await page.getByRole("link", { name: "app/1" }).click()
  await page.getByRole("heading", { level: 1, name: "app/1" }).waitFor()

  await button(page, "Set permission").click()
  const permission = page.getByRole("dialog", { name: "Set permission" })
  await permission.getByLabel("Configure").fill("^app\\.")
  await permission.getByLabel("Write").fill("(")
  await permission.getByRole("button", { name: "Set permission" }).click()
  await permission.getByRole("alert").waitFor()
  assert.equal(await permission.getByLabel("Configure").inputValue(), "^app\\.")
  await permission.getByLabel("Write").fill("")
  await permission.getByRole("button", { name: "Set permission" }).click()
  await rowOf(page, "^app\\.").waitFor()
  assert.deepEqual(await ask(page, origin, "permissions/%2F/app%2F1"), {
    user: "app/1",
    vhost: "/",
    configure: "^app\\.",
    write: "",
    read: ".*",
  })

  await button(page, "Set topic permission").click()
  const topic = page.getByRole("dialog", { name: "Set topic permission" })
  await topic.getByLabel("Write").fill("^app\\.{username}")
  await topic.getByRole("button", { name: "Set topic permission" }).click()
  await rowOf(page, "amq.topic").waitFor()
  await button(page, "Clear app/1 at amq.topic").click()
  await page.getByRole("dialog").getByRole("button", { name: "Clear topic permission" }).click()
  await page.getByText("All routing keys are allowed").waitFor()

  await page.getByLabel("Channels").fill("7")
  await button(page, "Set limits").click()
  await page.getByText("Set the limits of app/1").waitFor()
  assert.deepEqual(ui.running.administration.getUser("app/1").limits, { "max-channels": 7 })
  await page.getByLabel("Channels").fill("")
  await button(page, "Set limits").click()
  await page.getByText("Set the limits of app/1").nth(1).waitFor()
  assert.deepEqual(ui.running.administration.getUser("app/1").limits, {})

  await button(page, "Edit user").click()
  const edit = page.getByRole("dialog", { name: "Edit app/1" })
  await edit.getByLabel("Tags").fill("policymaker, own")
  await edit.getByRole("button", { name: "Save user" }).click()
  await page.getByText("Changed app/1").waitFor()
  assert.equal(ui.running.broker.users.get("app/1")?.tags.join(), "policymaker,own")
  await button(page, "Remove the password").click()
  await confirmTyped(page, "app/1", "Remove the password")
  await page.getByText("app/1 has no password now").waitFor()
  assert.equal(ui.running.administration.getUser("app/1").passwordHash, "")

  await button(page, "Clear app/1 on /").click()
  await page.getByRole("dialog").getByRole("button", { name: "Clear permissions" }).click()
  await page.getByText("This user cannot open any virtual host").waitFor()
  await visit(page, origin, "/users")
  await button(page, "Without permissions").click()
  await page.getByRole("link", { name: "app/1" }).waitFor()
  assert.equal(await page.getByRole("link", { name: "guest", exact: true }).count(), 0)
  await page.getByRole("link", { name: "app/1" }).click()
  await button(page, "Delete user").click()
  await confirmTyped(page, "app/1", "Delete user")
  await page.getByRole("heading", { level: 1, name: "Users" }).waitFor()
  assert.equal(ui.running.broker.users.get("app/1"), null)
  // A poll may be under way while the user goes.
  assert.deepEqual(unexpected(problems, [400, 404]), [])
})

test("a vhost is added, changed, protected, and deleted after its name was typed", async () => {
  const { page, problems } = await openUi(origin, "/vhosts")
  await button(page, "Add virtual host").click()
  const form = page.getByRole("dialog", { name: "Add virtual host" })
  await form.getByLabel("Name").fill("shop")
  await form.getByLabel("Description").fill("The shop")
  await form.getByLabel("Default queue type").selectOption("quorum")
  await form.getByRole("button", { name: "Add virtual host" }).click()
  await page.getByText("Added shop").waitFor()
  await page.locator(".header").getByText("shop").first().waitFor({ state: "attached" })
  await page.getByRole("link", { name: "shop" }).click()
  await page.getByText("The shop").first().waitFor()
  for (const title of ["Queued messages", "Message rates"])
    await page.getByRole("img", { name: `Chart: ${title}` }).waitFor()
  await page.getByLabel("Queues", { exact: true }).fill("5")
  await button(page, "Set limits").click()
  await page.getByText("Set the limits of shop").waitFor()
  await button(page, "Edit").click()
  const edit = page.getByRole("dialog", { name: "Edit shop" })
  await edit.getByLabel("Tags").fill("one, two")
  await edit.getByRole("button", { name: "Save virtual host" }).click()
  await page.getByText("Changed shop").waitFor()
  const { tags, limits, defaultQueueType } = ui.running.administration.getVhost("shop")
  assert.deepEqual(
    [tags, limits, defaultQueueType],
    [["one", "two"], { "max-queues": 5 }, "quorum"],
  )
  await button(page, "Protect").click()
  await page.getByText("shop is protected").waitFor()
  await button(page, "Unprotect").waitFor()
  assert.equal(await button(page, "Delete").isEnabled(), false)
  await button(page, "Unprotect").click()
  await button(page, "Protect").waitFor()
  await button(page, "Set permission").click()
  const permission = page.getByRole("dialog", { name: "Set permission" })
  await permission.getByLabel("User").fill("monitoring")
  await permission.getByRole("button", { name: "Set permission" }).click()
  await page.getByRole("link", { name: "monitoring" }).waitFor()
  await button(page, "Delete").click()
  await confirmTyped(page, "shop", "Delete virtual host")
  await page.getByRole("heading", { level: 1, name: "Virtual hosts" }).waitFor()
  assert.equal(ui.running.broker.vhosts.has("shop"), false)
  assert.deepEqual(unexpected(problems, [404]), [])
})

test("a policy shows what it matches while it is typed, and which of them it governs", async () => {
  const { page, problems } = await openUi(origin, "/policies")
  await button(page, "Add policy").click()
  const form = page.getByRole("dialog", { name: "Add policy" })
  await form.getByLabel("Name", { exact: true }).first().fill("ttl")
  await form.getByLabel("Pattern").fill("^orders\\.")
  await form.getByLabel("Applies to").selectOption("queues")
  await form.getByText("Matches 2 queues").waitFor()
  await form.getByRole("link", { name: "orders.paid" }).waitFor()
  await form.getByRole("button", { name: "Add policy" }).click()
  await form.getByText("A policy needs at least one key").waitFor()
  await form.getByRole("button", { name: "message-ttl" }).click()
  await form.getByText("milliseconds until a message expires").waitFor()
  await form.getByLabel("Value of message-ttl").fill("-1")
  await form.getByRole("button", { name: "Add policy" }).click()
  await form.getByText("is not a valid message TTL").waitFor()
  await form.getByLabel("Value of message-ttl").fill("60000")
  await form.getByRole("button", { name: "Add policy" }).click()
  await rowOf(page, "message-ttl: 60000").waitFor()
  await button(page, "Matches").click()
  await page.getByText("Matches 2 queues, in force for 2").waitFor()
  await page.keyboard.press("Escape")
  await page.getByRole("dialog").waitFor({ state: "detached" })
  await button(page, "ttl").click()
  const edit = page.getByRole("dialog", { name: "Edit ttl" })
  await edit.getByLabel("Priority").fill("7")
  await edit.getByRole("button", { name: "Save policy" }).click()
  await page.getByText("Changed ttl").waitFor()
  assert.equal(ui.running.broker.vhosts.get("/")?.policies.get("ttl")?.priority, 7)
  await page.getByRole("checkbox", { name: "Select //ttl" }).check()
  await button(page, "Delete").click()
  await confirmTyped(page, "ttl", "Delete 1 policy")
  await page.getByText("No policies").waitFor()

  await visit(page, origin, "/operator-policies")
  await button(page, "Add operator policy").click()
  const operator = page.getByRole("dialog", { name: "Add operator policy" })
  assert.equal(await operator.getByRole("button", { name: "dead-letter-exchange" }).count(), 0)
  await operator.getByLabel("Name", { exact: true }).first().fill("ceiling")
  await operator.getByRole("button", { name: "max-length", exact: true }).click()
  await operator.getByRole("button", { name: "Add operator policy" }).click()
  await rowOf(page, "max-length: 10000").waitFor()
  assert.equal(ui.running.broker.vhosts.get("/")?.operatorPolicies.list().length, 1)
  assert.deepEqual(unexpected(problems, [400]), [])
})

test("parameters are set as JSON, and show no passwords in the list", async () => {
  const { page, problems } = await openUi(origin, "/parameters", "policymaker")
  await page.getByText("No parameters").waitFor()
  const { page: admin } = await openUi(origin, "/parameters")
  await button(admin, "Add parameter").click()
  const form = admin.getByRole("dialog", { name: "Add parameter" })
  await form.getByLabel("Name").fill("tool")
  await form.getByLabel("Component").fill("own-tool")
  await form.getByLabel("Value").fill(`{"uri": "amqp://user:secret@host"`)
  await form.getByRole("button", { name: "Set parameter" }).click()
  await form.getByText("The value is not JSON").waitFor()
  await form.getByLabel("Value").fill(`{"uri": "amqp://user:secret@host"}`)
  await form.getByRole("button", { name: "Set parameter" }).click()
  await rowOf(admin, "own-tool").waitFor()
  assert.equal((await rowOf(admin, "own-tool").innerText()).includes("secret"), false)
  await button(admin, "Clear tool").click()
  await confirmTyped(admin, "tool", "Delete parameter")
  await admin.getByText("No parameters").waitFor()
  await admin.getByRole("tab", { name: "Global" }).click()
  await rowOf(admin, "cluster_name").waitFor()
  await button(admin, "Edit cluster_name").click()
  const edit = admin.getByRole("dialog", { name: "Edit cluster_name" })
  await edit.getByLabel("Value").fill(`"north"`)
  await edit.getByRole("button", { name: "Set parameter" }).click()
  await rowOf(admin, "north").waitFor()
  assert.deepEqual(await ask(admin, origin, "cluster-name"), { name: "north" })
  assert.deepEqual(unexpected(problems), [])
})

test("limits of vhosts and users are listed, set and cleared", async () => {
  const { page, problems } = await openUi(origin, "/limits")
  await page.getByText("A virtual host without a limit").waitFor()
  await button(page, "Limit a user").click()
  const form = page.getByRole("dialog", { name: "Limit a user" })
  await form.getByLabel("User").fill("nobody")
  await form.getByLabel("Connections").fill("3")
  await form.getByRole("button", { name: "Set limits" }).click()
  await form.getByRole("alert").waitFor()
  await form.getByLabel("User").fill("monitoring")
  await form.getByRole("button", { name: "Set limits" }).click()
  await page.getByRole("link", { name: "monitoring" }).waitFor()
  await button(page, "Limit a virtual host").click()
  const vhost = page.getByRole("dialog", { name: "Limit a virtual host" })
  await vhost.getByLabel("Connections").fill("100")
  await vhost.getByRole("button", { name: "Set limits" }).click()
  await page.getByText("Set the limits of /").waitFor()
  assert.deepEqual(ui.running.administration.getVhost("/").limits, { "max-connections": 100 })
  await button(page, "Clear /").click()
  await page.getByRole("dialog").getByRole("button", { name: "Clear limits" }).click()
  await page.getByText("Cleared the limits of /").waitFor()
  assert.deepEqual(ui.running.administration.getVhost("/").limits, {})
  assert.deepEqual(unexpected(problems, [400, 404]), [])
})

test("definitions are downloaded, shown before they are imported, and imported", async () => {
  const { page, problems } = await openUi(origin, "/definitions")
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("link", { name: "Download" }).click(),
  ])
  assert.match(download.suggestedFilename(), /^definitions-127\.0\.0\.1-.*\.json$/)
  const file: { queues: { name: string }[]; users: unknown[] } = JSON.parse(
    await readFile(await download.path(), "utf8"),
  )
  assert.ok(file.queues.some(({ name }) => name === "orders.new"))
  const choose = (name: string, text: string): Promise<void> =>
    page.getByLabel("File of definitions").setInputFiles({
      name,
      mimeType: "application/json",
      buffer: Buffer.from(text),
    })
  await choose("broken.json", `{"queues": [`)
  await page.getByText("broken.json: The file is not JSON").waitFor()
  await choose("else.json", `{"name": "package"}`)
  await page.getByText("This is no file of definitions").waitFor()
  await button(page, "Import").click()
  await page.getByText("Choose a file first.").waitFor()
  const queue = { name: "imported", vhost: "/", durable: true, auto_delete: false, arguments: {} }
  await choose(
    "new.json",
    JSON.stringify({
      product_name: "RabbitMQ",
      product_version: "4.1.0",
      queues: [queue],
      shards: [],
    }),
  )
  await page.getByText(", of RabbitMQ 4.1.0").waitFor()
  await page.getByText("Not known here and passed over: shards").waitFor()
  await page.locator(".preview-table tr", { hasText: "queues" }).getByText("imported").waitFor()
  await button(page, "Import").click()
  await page.getByText("Importing it again changes nothing").waitFor()
  assert.ok(ui.running.broker.vhosts.get("/")?.queues.has("imported"))
  await choose("wrong.json", JSON.stringify({ queues: [{ ...queue, vhost: "nowhere" }] }))
  await button(page, "Import").click()
  await page.getByText("there is no vhost 'nowhere'").waitFor()
  await page.locator(".preview-table").waitFor()
  await page.getByLabel("Into").selectOption("/")
  await button(page, "Import").click()
  await page.getByText("Importing it again changes nothing").waitFor()
  assert.deepEqual(unexpected(problems, [400]), [])
})

test("the audit page finds who did what, also further back", async () => {
  const { page, problems } = await openUi(origin, "/audit")
  for (let i = 0; i < 120; i++) {
    const answer = await page.request.put(`${origin}/api/queues/%2F/audited.${String(i)}`, {
      data: {},
    })
    assert.equal(answer.status(), 201)
  }
  await page.getByLabel("Action or object").fill("audited.")
  await rowOf(page, "audited.119").waitFor()
  assert.equal(await page.locator("tbody tr").count(), 100)
  await button(page, "Load older ones").click()
  await rowOf(page, "audited.0").last().waitFor()
  await button(page, "Load older ones").waitFor({ state: "detached" })
  assert.equal(await page.locator("tbody tr").count(), 120)
  assert.match(page.url(), /object=audited/)
  await page.getByRole("textbox", { name: "User" }).fill("nobody")
  await page.getByText("Nothing fits the filter").waitFor()
  assert.deepEqual(unexpected(problems), [])
})

test("the node has its figures, charts, memory and listeners; the overview its delays", async () => {
  const { page, problems } = await openUi(origin, "/nodes", "monitoring")
  for (const label of [
    "Memory",
    "Disk free",
    "Event-loop delay",
    "Confirm latency",
    "File descriptors",
  ])
    await page.locator(".tile", { hasText: label }).first().waitFor()
  const charts = [
    "Memory",
    "Delay and latency",
    "CPU",
    "Data read and written",
    "Connection churn",
    "Channel churn",
    "Queue churn",
  ]
  for (const title of charts) await page.getByRole("img", { name: `Chart: ${title}` }).waitFor()
  await page.getByRole("meter", { name: "Buffers" }).waitFor()
  await page
    .getByText(`:${String(ui.running.http?.port)}`)
    .first()
    .waitFor()
  const [node] = await ask<readonly Readonly<Record<string, number>>[]>(page, origin, "nodes")
  assert.ok((node?.["event_loop_delay_p99"] ?? -1) >= 0)
  assert.ok((node?.["confirm_latency_p99"] ?? -1) >= 0)
  assert.ok((node?.["fd_used"] ?? 0) > 0)
  await visit(page, origin, "/")
  await page.getByText("Event-loop delay").waitFor()
  assert.deepEqual(unexpected(problems), [])
})

test("no page of administration is wider than a phone, in both themes without errors", async () => {
  const { page, problems } = await openUi(origin, "/users")
  await page.setViewportSize({ width: 390, height: 800 })
  const paths = [
    "/users",
    "/users/guest",
    "/vhosts",
    "/vhosts/%2F",
    "/policies",
    "/operator-policies",
    "/parameters",
    "/limits",
    "/definitions",
    "/audit",
    "/nodes",
    "/logs",
    "/shovels",
    "/federation",
  ]
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme })
    for (const path of paths) {
      await visit(page, origin, path)
      await page.locator(".loading").first().waitFor({ state: "detached" })
      const excess = await page.evaluate<number>(
        "document.documentElement.scrollWidth - innerWidth",
      )
      assert.ok(excess <= 0, `${path} is ${String(excess)} px too wide`)
    }
  }
  const nameless = await page.evaluate<number>(
    `[...document.querySelectorAll("button, a, input, select")].filter((one) => (one.textContent + (one.getAttribute("aria-label") ?? "") + (one.labels?.length ? "x" : "")).trim() === "").length`,
  )
  assert.equal(nameless, 0)
  assert.deepEqual(unexpected(problems, [404]), [])
})
