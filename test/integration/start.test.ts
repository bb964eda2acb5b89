/** What a start loads: nothing that is not needed yet. Counts modules, not milliseconds. */
import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { resolve } from "node:path"
import { test } from "node:test"
import { pathToFileURL } from "node:url"

const START = pathToFileURL(resolve("src/server/start-broker.ts")).href

/** Modules that a process has loaded when the broker is open, as paths. */
function loadedBy(options: object): string[] {
  const script = `
    import { registerHooks } from "node:module"
    const urls = new Set()
    registerHooks({
      resolve(specifier, context, next) {
        const found = next(specifier, context)
        urls.add(found.url)
        return found
      },
    })
    const { startBroker } = await import(${JSON.stringify(START)})
    const broker = await startBroker(${JSON.stringify(options)})
    console.log(JSON.stringify([...urls]))
    await broker.close()`
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["--input-type=module", "-e", script],
    { encoding: "utf8" },
  )
  assert.equal(status, 0, stderr)
  const urls: string[] = JSON.parse(stdout)
  return urls
}

const amqp = { host: "127.0.0.1", port: 0 }

test("a broker without management and log loads neither", () => {
  const loaded = loadedBy({ amqp })
  const needless = loaded.filter((url) =>
    /node:http|\/src\/http\/|\/node_modules\/(?:hono|@hono|pino|pino-pretty|ws)\//.test(url),
  )
  assert.deepEqual(needless, [])
})

test("a broker with a management port listens before the API is loaded", () => {
  const loaded = loadedBy({ amqp, http: amqp, metrics: amqp })
  const needless = loaded.filter((url) =>
    /\/src\/http\/(?:app|routes|queues|openapi)\.ts|\/node_modules\/(?:hono|@hono|pino|ws)\//.test(
      url,
    ),
  )
  assert.deepEqual(needless, [])
})
