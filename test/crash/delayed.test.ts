/**
 * Kills a broker with SIGKILL at random times while messages with delays are published, fall due and
 * are acknowledged. What was confirmed comes at least once, whatever happened while it waited or moved
 * on; and what was moved to its queue, settled and acknowledged does not come again.
 */
import assert from "node:assert/strict"
import { join } from "node:path"
import { test } from "node:test"
import { connect } from "amqplib"
import type { ChannelModel } from "amqplib"
import { BrokerProcess } from "../support/broker-process.ts"
import { eventually, pause, within } from "../support/eventually.ts"
import { chooseSeed, createRandom, timeBoxSeconds } from "../support/seed.ts"
import type { Random } from "../support/seed.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

const EXCHANGE = "late"
const QUEUE = "q"
const DELAY_MS_MAX = 400
const LOAD_MS_MAX = 900

const seed = chooseSeed("crash of delayed messages")

test("a killed broker keeps what waits, and moves nothing again that was settled", async (context) => {
  const random = createRandom(seed)
  const dataDirectory = join(temporaryDirectory(context), "data")
  const endMs = performance.now() + timeBoxSeconds(8, 60) * 1000
  const world = new World(random)
  let broker: BrokerProcess | null = null
  context.after(() => broker?.stop("SIGKILL"))
  let rounds = 0
  while (performance.now() < endMs) {
    const flags = random.chance(0.3) ? ["--no-sync"] : []
    broker = await BrokerProcess.start({ dataDirectory, flags })
    const load = world.load(await open(broker))
    await pause(random.below(LOAD_MS_MAX))
    const exit = await broker.stop(random.chance(0.9) ? "SIGKILL" : "SIGTERM")
    assert.ok(exit.signal === "SIGKILL" || exit.code === 0, broker.stderr)
    await within(load, "the end of the load")
    assert.deepEqual(world.problems.slice(0, 20), [])
    rounds++
  }
  broker = await BrokerProcess.start({ dataDirectory })
  await world.collect(await open(broker))
  await broker.stop()
  assert.deepEqual(world.problems.slice(0, 20), [])
  console.log(
    `delayed: ${String(rounds)} rounds, ${String(world.publishedCount)} messages, ` +
      `${String(world.againCount)} came again`,
  )
  assert.ok(rounds > 1 && world.publishedCount > 100, "the test did next to nothing")
})

async function open(broker: BrokerProcess): Promise<ChannelModel> {
  const connection = await connect(broker.url)
  connection.on("error", () => {}) // The kill.
  return connection
}

class World {
  readonly problems: string[] = []
  /** Messages that came more than once. */
  againCount = 0
  readonly #random: Random
  readonly #confirmed = new Set<number>()
  readonly #received = new Set<number>()
  /** Acknowledged, and settled where they waited: they may not come any more. */
  readonly #done = new Set<number>()
  /** Acknowledged since the last burst. */
  #acked: number[] = []
  #nextId = 1

  constructor(random: Random) {
    this.#random = random
  }

  get publishedCount(): number {
    return this.#nextId - 1
  }

  /** Publishes and consumes until the broker is gone. */
  async load(connection: ChannelModel): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      connection.on("close", resolve)
    })
    try {
      await this.#work(connection)
    } catch (error) {
      if (!isConnectionLoss(error)) throw error
    }
    await closed
  }

  async #work(connection: ChannelModel): Promise<void> {
    const random = this.#random
    await this.#consume(connection)
    const channel = await connection.createConfirmChannel()
    channel.on("error", () => {})
    for (;;) {
      // What was moved before this burst is settled before its confirm.
      const acked = this.#acked
      this.#acked = []
      const ids: number[] = []
      for (let left = 1 + random.below(100); left > 0; left--) {
        const id = this.#nextId++
        const headers = { "x-delay": 1 + random.below(DELAY_MS_MAX) }
        const body = Buffer.from(String(id).padEnd(random.below(2000), "."))
        channel.publish(EXCHANGE, "", body, { persistent: true, headers })
        ids.push(id)
      }
      await channel.waitForConfirms()
      for (const id of ids) this.#confirmed.add(id)
      for (const id of acked) this.#done.add(id)
      await channel.checkQueue(QUEUE)
    }
  }

  async #consume(connection: ChannelModel): Promise<void> {
    const channel = await connection.createChannel()
    channel.on("error", () => {})
    const type = { durable: true, arguments: { "x-delayed-type": "fanout" } }
    await channel.assertExchange(EXCHANGE, "x-delayed-message", type)
    await channel.assertQueue(QUEUE, { durable: true })
    await channel.bindQueue(QUEUE, EXCHANGE, "")
    this.#acked = []
    await channel.consume(QUEUE, (message) => {
      if (message === null) return
      const id = Number.parseInt(message.content.toString(), 10)
      if (this.#done.has(id)) this.problems.push(`message ${String(id)} came again`)
      if (id >= this.#nextId || !(id > 0)) this.problems.push(`message ${String(id)} is unknown`)
      if (this.#received.has(id)) this.againCount++
      this.#received.add(id)
      try {
        channel.ack(message)
        this.#acked.push(id)
      } catch {
        // The connection has gone meanwhile.
      }
    })
  }

  /** Takes what is left, until all that was confirmed has come. */
  async collect(connection: ChannelModel): Promise<void> {
    await this.#consume(connection)
    await eventually(() => {
      const missing = [...this.#confirmed].filter((id) => !this.#received.has(id))
      assert.deepEqual(missing.slice(0, 10), [], `${String(missing.length)} messages are lost`)
    })
    await connection.close()
  }
}

function isConnectionLoss(error: unknown): boolean {
  return (
    error instanceof Error && /closed|ended|ECONNRESET|EPIPE|CONNECTION_FORCED/i.test(error.message)
  )
}
