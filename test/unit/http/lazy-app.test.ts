/** An application that is made by the first who needs it. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { Hono } from "hono"
import type { AppBindings, HttpApp } from "../../../src/http/app.ts"
import { LazyApp } from "../../../src/http/lazy-app.ts"
import { silentLogger } from "../../../src/util/logger.ts"

test("it is made once, by requests that come together", async () => {
  let madeCount = 0
  const app = new LazyApp((): Promise<HttpApp> => {
    madeCount++
    return Promise.resolve(new Hono<AppBindings>().get("/", () => new Response("here")))
  }, silentLogger)
  assert.equal(madeCount, 0)
  const answers = await Promise.all([
    app.request("/"),
    app.fetch(new Request("http://localhost/")),
    app.load().then((made) => made.request("/")),
  ])
  for (const answer of answers) assert.equal(await answer.text(), "here")
  assert.equal(madeCount, 1)
})

test("one that cannot be made is in the log, once, and no request is answered", async () => {
  const lines: string[] = []
  const log = { ...silentLogger, error: (_: object, text: string) => void lines.push(text) }
  const app = new LazyApp(() => Promise.reject(new Error("no such file")), log)
  await assert.rejects(app.request("/"), /no such file/)
  await assert.rejects(app.load(), /no such file/)
  assert.deepEqual(lines, ["the HTTP API cannot be loaded"])
})
