/**
 * A shovel between two broker processes of which one is killed in the middle, or the network is: with
 * on-confirm nothing is lost, and with every mode it goes on by itself.
 */
import assert from "node:assert/strict"
import { test } from "node:test"
import type { TestContext } from "node:test"
import { BrokerProcess } from "../support/broker-process.ts"
import { DroppingProxy } from "../support/dropping-proxy.ts"
import { eventually } from "../support/eventually.ts"
import { drain, openChannel, publishNumbers, ShovelBed } from "../support/shovel-bed.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

const COUNT = 8000

interface Side {
  readonly dataDirectory: string
  process: BrokerProcess
}

async function startSide(context: TestContext): Promise<Side> {
  const dataDirectory = temporaryDirectory(context)
  const side = { dataDirectory, process: await BrokerProcess.start({ dataDirectory }) }
  context.after(() => side.process.stop("SIGKILL"))
  return side
}

async function startSides(
  context: TestContext,
): Promise<{ readonly source: Side; readonly destination: Side }> {
  const [source, destination] = await Promise.all([startSide(context), startSide(context)])
  return { source, destination }
}

async function killAndRestart(side: Side): Promise<void> {
  const { port } = side.process
  await side.process.stop("SIGKILL")
  side.process = await BrokerProcess.start({ dataDirectory: side.dataDirectory, port })
}

interface Outcome {
  readonly distinctCount: number
  readonly duplicateCount: number
}

/** Runs until the source is empty; `disturb` comes when some messages have arrived. */
async function move(
  context: TestContext,
  mode: string,
  sides: { readonly source: Side; readonly destination: Side },
  uris: { readonly source?: string; readonly destination?: string },
  disturb: () => Promise<void>,
): Promise<Outcome> {
  const { source, destination } = sides
  const filled = await openChannel(context, source.process.url)
  await filled.declareQueue("a", { durable: true })
  await publishNumbers(filled, "a", COUNT)
  const host = await ShovelBed.open(context)
  await host.setShovel("s", {
    "src-uri": uris.source ?? source.process.url,
    "src-queue": "a",
    "dest-uri": uris.destination ?? destination.process.url,
    "dest-queue": "b",
    "ack-mode": mode,
    "src-prefetch-count": 500,
    "reconnect-delay": 0.2,
  })
  const watching = await openChannel(context, destination.process.url)
  await eventually(async () => {
    assert.ok((await watching.declareQueue("b", { durable: true })).messageCount > 1000)
  })
  await disturb()
  const left = await openChannel(context, source.process.url)
  await eventually(async () => assert.equal((await left.checkQueue("a")).messageCount, 0), {
    timeoutMs: 60_000,
  })
  await host.vhost.parameters.delete("shovel", "s")
  // What was under way when it was deleted has come back, or has arrived.
  await eventually(async () => assert.equal((await left.checkQueue("a")).consumerCount, 0))
  const arrived = await drain(await openChannel(context, destination.process.url), "b")
  const rest = await drain(left, "a")
  const distinct = new Set([...arrived, ...rest].map(({ body }) => body.toString()))
  return {
    distinctCount: distinct.size,
    duplicateCount: arrived.length + rest.length - distinct.size,
  }
}

for (const [mode, victim] of [
  ["on-confirm", "source"],
  ["on-confirm", "destination"],
  ["on-publish", "source"],
  ["no-ack", "destination"],
] as const)
  test(`the ${victim} is killed: ${mode}`, async (context) => {
    const sides = await startSides(context)
    const disturb = (): Promise<void> => killAndRestart(sides[victim])
    const { distinctCount, duplicateCount } = await move(context, mode, sides, {}, disturb)
    context.diagnostic(
      `${String(COUNT - distinctCount)} lost, ${String(duplicateCount)} duplicates`,
    )
    if (mode === "no-ack") assert.ok(distinctCount > 1000)
    else assert.equal(distinctCount, COUNT) // on-publish loses what was on its way to the destination only.
  })

for (const victim of ["source", "destination"] as const)
  test(`the network to the ${victim} is cut, and then swallows what is sent`, async (context) => {
    const sides = await startSides(context)
    const proxy = new DroppingProxy(() => sides[victim].process.port)
    const uri = `amqp://guest:guest@127.0.0.1:${String(await proxy.listen(context))}?heartbeat=1`
    const { distinctCount, duplicateCount } = await move(
      context,
      "on-confirm",
      sides,
      { [victim]: uri },
      async () => {
        proxy.cut()
        const watching = await openChannel(context, sides.destination.process.url)
        const { messageCount } = await watching.checkQueue("b")
        await eventually(async () => {
          const now = (await watching.checkQueue("b")).messageCount
          assert.ok(now > messageCount || now >= COUNT)
        })
        proxy.swallow() // Only heartbeats tell.
      },
    )
    context.diagnostic(`${String(duplicateCount)} duplicates`)
    assert.equal(distinctCount, COUNT)
  })

test("the broker of the shovel is killed: it goes on after the restart, and stays paused", async (context) => {
  const side = await startSide(context)
  const channel = await openChannel(context, side.process.url)
  await channel.declareQueue("a", { durable: true })
  await publishNumbers(channel, "a", COUNT)
  const { port } = side.process
  await side.process.stop("SIGKILL")
  const http = ["--http-port", "0"]
  side.process = await BrokerProcess.start({ ...side, port, flags: http })
  const call = async (method: string, path: string, body?: unknown): Promise<Response> => {
    const match = await side.process.waitForOutput(/Management on http:\/\/127\.0\.0\.1:(\d+)/)
    return fetch(`http://127.0.0.1:${match[1] ?? ""}${path}`, {
      method,
      headers: {
        authorization: `Basic ${btoa("guest:guest")}`,
        "content-type": "application/json",
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
  }
  const value = { "src-uri": "amqp://", "src-queue": "a", "dest-uri": "amqp://", "dest-queue": "b" }
  assert.equal((await call("PUT", "/api/parameters/shovel/%2F/s", { value })).status, 201)
  const idle = { ...value, "src-queue": "c" }
  assert.equal((await call("PUT", "/api/parameters/shovel/%2F/idle", { value: idle })).status, 201)
  assert.equal((await call("PUT", "/api/shovels/%2F/idle/pause")).status, 204)
  const killed = side.process
  await killed.stop("SIGKILL")
  side.process = await BrokerProcess.start({ ...side, port, flags: http })
  const after = await openChannel(context, side.process.url)
  await eventually(async () => assert.equal((await after.checkQueue("a")).messageCount, 0))
  const shovel: unknown = await (await call("GET", "/api/shovels/%2F/idle")).json()
  assert.equal(Reflect.get(Object(shovel), "state"), "Paused")
  assert.equal((await call("DELETE", "/api/parameters/shovel/%2F/s")).status, 204)
  const moved = await drain(after, "b")
  assert.equal(new Set(moved.map(({ body }) => body.toString())).size, COUNT)
  context.diagnostic(`${String(moved.length - COUNT)} duplicates`)
})
