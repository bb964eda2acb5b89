/** The program from the command line has the API, where its flags say. */
import assert from "node:assert/strict"
import { join } from "node:path"
import { test } from "node:test"
import { BrokerProcess } from "../support/broker-process.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

test("the API listens where --http-bind and --http-port say, and what it declares is on disk", async (context) => {
  const dataDirectory = join(temporaryDirectory(context), "data")
  const flags = ["--http-port", "0", "--http-bind", "127.0.0.1"]
  const headers = { authorization: `Basic ${btoa("guest:guest")}` }
  const start = async (): Promise<{ broker: BrokerProcess; url: string }> => {
    const broker = await BrokerProcess.start({ dataDirectory, flags })
    context.after(() => broker.stop("SIGKILL"))
    const [, address = ""] = await broker.waitForOutput(/Management on http:\/\/(\S+)/)
    return { broker, url: `http://${address}/api/queues/%2F/kept` }
  }
  const first = await start()
  const body = JSON.stringify({ durable: true })
  const request = {
    method: "PUT",
    headers: { ...headers, "content-type": "application/json" },
    body,
  }
  assert.equal((await fetch(first.url, request)).status, 201)
  await first.broker.stop("SIGKILL")
  const second = await start()
  assert.equal((await fetch(second.url, { headers })).status, 200)
  await second.broker.stop()
})
