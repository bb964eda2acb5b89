/** Kills a broker with SIGKILL right after queues were paused and resumed: what was answered holds afterwards. */
import assert from "node:assert/strict"
import { join } from "node:path"
import { test } from "node:test"
import { connect } from "amqplib"
import { BrokerProcess } from "../support/broker-process.ts"
import { chooseSeed, createRandom, timeBoxSeconds } from "../support/seed.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

const seed = chooseSeed("crash of paused queues")
const QUEUES = 5

interface Running {
  readonly broker: BrokerProcess
  readonly api: string
}

async function start(dataDirectory: string): Promise<Running> {
  const broker = await BrokerProcess.start({ dataDirectory, flags: ["--http-port", "0"] })
  const [, api = ""] = await broker.waitForOutput(/Management on (http:\/\/127\.0\.0\.1:\d+)/)
  return { broker, api }
}

async function ask(api: string, method: string, path: string): Promise<Response> {
  return fetch(`${api}/api/queues/%2F/${path}`, {
    method,
    headers: { authorization: `Basic ${btoa("guest:guest")}`, connection: "close" },
  })
}

/** Each queue holds one message; only those that are not paused give it. */
async function verify({ broker, api }: Running, paused: readonly boolean[]): Promise<void> {
  const connection = await connect(broker.url)
  connection.on("error", () => {}) // The kill.
  const channel = await connection.createConfirmChannel()
  for (const [index, isPaused] of paused.entries()) {
    const name = `q${String(index)}`
    await channel.assertQueue(name, { durable: true })
    await channel.purgeQueue(name)
    channel.sendToQueue(name, Buffer.from("1"), { persistent: true })
    await channel.waitForConfirms()
    const shown: unknown = await (await ask(api, "GET", name)).json()
    assert.ok(typeof shown === "object" && shown !== null && "state" in shown)
    assert.equal(shown.state, isPaused ? "paused" : "running", name)
    assert.equal((await channel.get(name, { noAck: true })) === false, isPaused, name)
  }
}

test("a killed broker pauses the queues that were paused", async (context) => {
  const random = createRandom(seed)
  const dataDirectory = join(temporaryDirectory(context), "data")
  const endMs = performance.now() + timeBoxSeconds(5, 30) * 1000
  const paused = Array.from({ length: QUEUES }, () => false)
  let running: Running | null = null
  context.after(() => running?.broker.stop("SIGKILL"))
  let rounds = 0
  for (; performance.now() < endMs; rounds++) {
    running = await start(dataDirectory)
    await verify(running, paused)
    for (let changes = random.below(8); changes >= 0; changes--) {
      const index = random.below(QUEUES)
      const isPaused = random.below(2) === 0
      const path = `q${String(index)}/${isPaused ? "pause" : "resume"}`
      const { status } = await ask(running.api, "PUT", path)
      assert.equal(status, 204)
      paused[index] = isPaused
    }
    await running.broker.stop("SIGKILL")
  }
  console.log(`crash: ${String(rounds)} rounds`)
  assert.ok(rounds > 1, "the test did next to nothing")
})
