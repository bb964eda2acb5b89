/** The charts of the UI: what is under the pointer, by mouse, finger and keys; themes, widths; nothing stays behind. */
import assert from "node:assert/strict"
import { after, before, test } from "node:test"
import type { CDPSession, Locator, Page } from "playwright-core"
import { eventually } from "../support/eventually.ts"
import { startUi } from "../support/ui.ts"
import type { Ui } from "../support/ui.ts"

let ui: Ui

before(async () => {
  ui = await startUi()
  const channel = await (await ui.client("charts")).createChannel()
  await channel.assertQueue("charted")
  for (let i = 0; i < 1000; i++) channel.sendToQueue("charted", Buffer.from("x"))
})
after(() => ui.close())

const TIME = /^\d\d:\d\d:\d\d$/

const chartOf = (page: Page, title: string): Locator =>
  page.locator(".chart", { has: page.getByRole("img", { name: `Chart: ${title}.` }) })

/** Whether a pixel of the picture has this colour. */
async function shows(chart: Locator, color: readonly number[]): Promise<boolean> {
  return chart.locator("canvas").evaluate((canvas, [red, green, blue]) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height)
    for (let i = 0; i < data.length; i += 4)
      if (data[i] === red && data[i + 1] === green && data[i + 2] === blue && data[i + 3] === 255)
        return true
    return false
  }, color)
}

test("the legend has the latest values, else those below the pointer; keys and a finger move it, too", async () => {
  const { page, problems } = await ui.open("/queues/%2F/charted")
  const chart = chartOf(page, "Queued messages")
  const picture = chart.getByRole("img")
  await page.getByRole("img", { name: /Queued messages.*Unacked 0, Ready 1,000$/ }).waitFor()
  const time = chart.getByRole("listitem").getByText(TIME)
  const ready = chart.getByRole("button", { name: "Ready" })
  assert.match(await ready.innerText(), /1,000/)
  assert.equal(await time.count(), 0)

  await picture.hover()
  await time.waitFor()
  await page.mouse.move(0, 0)
  await time.waitFor({ state: "detached" })

  await picture.focus()
  await page.keyboard.press("ArrowLeft")
  await time.waitFor()
  await page.keyboard.press("ArrowRight")
  assert.match(await ready.innerText(), /1,000/)
  await page.keyboard.press("Tab")
  await time.waitFor({ state: "detached" })

  await picture.dispatchEvent("pointermove", { pointerType: "touch", clientX: 400, clientY: 300 })
  await time.waitFor()
  assert.deepEqual(problems, [])
})

test("a line is hidden by its name, and the picture has the colours of the theme", async () => {
  const { page, problems } = await ui.open("/queues/%2F/charted")
  await page.emulateMedia({ colorScheme: "light" })
  const chart = chartOf(page, "Queued messages")
  await eventually(async () => assert.ok(await shows(chart, [0x0a, 0x8a, 0x91])))
  await page.emulateMedia({ colorScheme: "dark" })
  await eventually(async () => assert.ok(await shows(chart, [0x4c, 0xc4, 0xc9])))
  assert.equal(await chart.locator("canvas").count(), 1)
  await chart.getByRole("button", { name: "Ready" }).click()
  await chart.getByRole("button", { name: "Ready", pressed: false }).waitFor()
  await eventually(async () => assert.ok(!(await shows(chart, [0x4c, 0xc4, 0xc9]))))
  assert.deepEqual(problems, [])
})

test("it is as wide as there is room, and never wider than a phone", async () => {
  const { page } = await ui.open("/queues/%2F/charted")
  const canvas = chartOf(page, "Queued messages").locator("canvas")
  const width = async (): Promise<number> => (await canvas.boundingBox())?.width ?? 0
  const wide = await width()
  assert.ok(wide > 300, String(wide))
  await page.setViewportSize({ width: 390, height: 800 })
  await eventually(async () => assert.ok((await width()) < wide && (await width()) > 200))
  assert.equal(await page.evaluate("document.documentElement.scrollWidth"), 390)
})

/** Of this class, after what nobody holds has been collected. */
async function liveCount(session: CDPSession, prototype: string): Promise<number> {
  await session.send("HeapProfiler.collectGarbage")
  const { result } = await session.send("Runtime.evaluate", { expression: prototype })
  const { objects } = await session.send("Runtime.queryObjects", {
    prototypeObjectId: result.objectId ?? "",
    objectGroup: "counted",
  })
  const counted = await session.send("Runtime.callFunctionOn", {
    objectId: objects.objectId ?? "",
    functionDeclaration: "function () { return this.length }",
  })
  await session.send("Runtime.releaseObjectGroup", { objectGroup: "counted" })
  return Number(counted.result.value)
}

test("charts of pages that were left are gone from memory", async () => {
  const { page } = await ui.open("/queues/%2F/charted")
  const session = await page.context().newCDPSession(page)
  await page.locator("canvas").first().waitFor()
  for (let i = 0; i < 12; i++) {
    await page.evaluate("location.hash = '#/users'")
    await page.getByRole("heading", { level: 1, name: "Users" }).waitFor()
    await page.evaluate("location.hash = '#/queues/%2F/charted'")
    await page.locator("canvas").nth(1).waitFor()
  }
  assert.ok((await liveCount(session, "HTMLCanvasElement.prototype")) >= 2)
  await page.evaluate("location.hash = '#/users'")
  await page.getByRole("heading", { level: 1, name: "Users" }).waitFor()
  await eventually(async () => {
    const count = await liveCount(session, "HTMLCanvasElement.prototype")
    assert.ok(count <= 2, `${String(count)} are left`)
  })
})
