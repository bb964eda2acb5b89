/**
 * Kills a broker with SIGKILL at random times while clients publish with confirms and acknowledge,
 * starts it again on the same directory, and compares with the ledger: what was confirmed is there,
 * what was acknowledged is not, the order is kept, nothing is torn. Power failure is not tested
 * here (a killed process leaves its page cache): see test/storage.
 */
import assert from "node:assert/strict"
import { join } from "node:path"
import { test } from "node:test"
import { connect } from "amqplib"
import type { ChannelModel, ConfirmChannel, ConsumeMessage } from "amqplib"
import { BrokerProcess, brokerArguments } from "../support/broker-process.ts"
import { pause, within } from "../support/eventually.ts"
import { Inbox } from "../support/inbox.ts"
import { chooseSeed, createRandom, timeBoxSeconds } from "../support/seed.ts"
import type { Random } from "../support/seed.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"
import { QueueLedger } from "./ledger.ts"
import type { Found } from "./ledger.ts"

const LOAD_MS_MAX = 600
const QUEUES = ["one", "two", "three"] as const
/** Bound to the first two queues: a confirm must wait for both. */
const FANOUT = "x.both"
const ID_SIZE = 8

const seed = chooseSeed("crash")

test("a killed broker keeps what it confirmed and forgets what was acknowledged", async (context) => {
  const random = createRandom(seed)
  const dataDirectory = join(temporaryDirectory(context), "data")
  const endMs = performance.now() + timeBoxSeconds(10, 60) * 1000
  const world = new World(random)
  let broker: BrokerProcess | null = null
  context.after(() => broker?.stop("SIGKILL"))
  let rounds = 0
  while (performance.now() < endMs) {
    if (random.chance(0.2)) await killWhileStarting(dataDirectory, random)
    const flags = random.chance(0.3) ? ["--no-sync"] : []
    broker = await BrokerProcess.start({ dataDirectory, flags })
    const connection = await open(broker)
    await world.verify(connection)
    const load = world.load(connection)
    await pause(random.below(LOAD_MS_MAX))
    const exit = await broker.stop(random.chance(0.9) ? "SIGKILL" : "SIGTERM")
    assert.ok(exit.signal === "SIGKILL" || exit.code === 0, broker.stderr)
    await within(load, "the end of the load")
    rounds++
  }
  broker = await BrokerProcess.start({ dataDirectory })
  await world.verify(await open(broker))
  await broker.stop()
  console.log(`crash: ${String(rounds)} rounds, ${String(world.publishedCount)} messages`)
  assert.ok(rounds > 1 && world.publishedCount > 100, "the test did next to nothing")
})

async function open(broker: BrokerProcess): Promise<ChannelModel> {
  const connection = await connect(broker.url)
  connection.on("error", () => {}) // The kill.
  return connection
}

/** Recovery itself is interrupted. */
async function killWhileStarting(dataDirectory: string, random: Random): Promise<void> {
  const starting = new BrokerProcess(brokerArguments({ dataDirectory }))
  await pause(random.below(200))
  await starting.stop("SIGKILL")
}

class World {
  readonly #random: Random
  readonly #ledgers = QUEUES.map((name) => new QueueLedger(name))
  #nextId = 1
  #isDeclared = false
  /** Names of queues without messages; true if they must exist, false if they must not. */
  readonly #extras = new Map<string, boolean>()

  constructor(random: Random) {
    this.#random = random
  }

  get publishedCount(): number {
    return this.#ledgers.reduce((sum, ledger) => sum + ledger.publishedCount, 0)
  }

  /** Compares the queues with the ledger; leaves the messages there or takes them all. */
  async verify(connection: ChannelModel): Promise<void> {
    if (!this.#isDeclared) return
    const problems: string[] = []
    for (const ledger of this.#ledgers) {
      const channel = await connection.createChannel()
      const { messageCount } = await channel.checkQueue(ledger.name)
      const inbox = new Inbox<ConsumeMessage | null>()
      await channel.consume(ledger.name, inbox.push)
      const messages = await inbox.take(messageCount)
      const found = messages.map((message) => readMessage(message!))
      problems.push(...ledger.compare(found))
      ledger.settle(found)
      if (this.#random.chance(0.4) && messageCount > 0) {
        for (const { id } of found) ledger.acknowledged(id)
        const wasWritten = ledger.startRoundTrip()
        channel.ackAll()
        assert.equal((await channel.checkQueue(ledger.name)).messageCount, 0)
        wasWritten()
      }
      assert.equal(inbox.items.length, messageCount, "more messages than the queue counted")
      await channel.close()
    }
    for (const [name, mustExist] of this.#extras) {
      const exists = await queueExists(connection, name)
      if (exists !== mustExist) problems.push(`queue ${name}: exists is ${String(exists)}`)
    }
    assert.deepEqual(problems.slice(0, 20), [], `${String(problems.length)} problems`)
  }

  /** Publishes and consumes until the broker is gone. */
  async load(connection: ChannelModel): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      connection.on("close", resolve)
    })
    const work = [this.#publish(connection), this.#declare(connection)].concat(
      this.#ledgers.map((ledger) => this.#consume(connection, ledger)),
    )
    const results = await Promise.allSettled([...work, closed])
    for (const result of results)
      if (result.status === "rejected" && !isConnectionLoss(result.reason)) throw result.reason
  }

  async #publish(connection: ChannelModel): Promise<void> {
    const random = this.#random
    const channel = await createChannel(connection)
    await channel.assertExchange(FANOUT, "fanout", { durable: true })
    for (const [index, name] of QUEUES.entries()) {
      await channel.assertQueue(name, { durable: true })
      if (index < 2) await channel.bindQueue(name, FANOUT, "")
    }
    this.#isDeclared = true
    for (;;) {
      const burst = 1 + random.below(200)
      for (let i = 0; i < burst; i++) this.#publishOne(channel)
      if (random.chance(0.5)) await channel.waitForConfirms()
      else await channel.checkExchange(FANOUT)
    }
  }

  #publishOne(channel: ConfirmChannel): void {
    const random = this.#random
    const id = this.#nextId++
    const target = random.below(QUEUES.length + 1)
    const isBoth = target === QUEUES.length
    const ledgers = isBoth ? this.#ledgers.slice(0, 2) : [this.#ledgers[target]!]
    for (const ledger of ledgers) ledger.published(id)
    const body = writeBody(id, random)
    const exchange = isBoth ? FANOUT : ""
    const key = isBoth ? "" : QUEUES[target]!
    channel.publish(exchange, key, body, { persistent: true }, (error: unknown) => {
      if (error === null || error === undefined) for (const ledger of ledgers) ledger.confirmed(id)
    })
  }

  async #consume(connection: ChannelModel, ledger: QueueLedger): Promise<void> {
    const random = this.#random
    const channel = await createChannel(connection)
    await channel.assertQueue(ledger.name, { durable: true })
    await channel.prefetch(1 + random.below(300))
    const ackShare = random.pick([0, 0.3, 0.9, 1])
    const outstanding = new Map<number, number>()
    await channel.consume(ledger.name, (message) => {
      if (message === null) return
      const { id } = readMessage(message)
      const tag = message.fields.deliveryTag
      outstanding.set(tag, id)
      if (!random.chance(ackShare)) return
      if (random.chance(0.05)) {
        channel.nack(message, false, true)
        outstanding.delete(tag)
        return
      }
      const isMultiple = random.chance(0.2)
      for (const [earlier, earlierId] of outstanding)
        if (earlier === tag || (isMultiple && earlier < tag)) {
          ledger.acknowledged(earlierId)
          outstanding.delete(earlier)
        }
      channel.ack(message, isMultiple)
    })
    for (;;) {
      const wasWritten = ledger.startRoundTrip()
      await channel.checkQueue(ledger.name)
      wasWritten()
      await pause(5)
    }
  }

  async #declare(connection: ChannelModel): Promise<void> {
    const random = this.#random
    const channel = await createChannel(connection)
    for (;;) {
      const name = `extra.${String(random.below(30))}`
      const exists = this.#extras.get(name) ?? false
      this.#extras.delete(name) // Until the reply it may be there or not.
      if (exists) await channel.deleteQueue(name)
      else await channel.assertQueue(name, { durable: true })
      this.#extras.set(name, !exists)
      await pause(random.below(20))
    }
  }
}

async function createChannel(connection: ChannelModel): Promise<ConfirmChannel> {
  const channel = await connection.createConfirmChannel()
  channel.on("error", () => {})
  return channel
}

async function queueExists(connection: ChannelModel, name: string): Promise<boolean> {
  const channel = await createChannel(connection)
  try {
    await channel.checkQueue(name)
    await channel.close()
    return true
  } catch {
    return false // The channel is closed with 404.
  }
}

function isConnectionLoss(error: unknown): boolean {
  return error instanceof Error && /clos|ended|ECONNRESET|EPIPE|320/i.test(error.message)
}

/** The id, then bytes that follow from it. */
function writeBody(id: number, random: Random): Buffer {
  const size = random.chance(0.01)
    ? random.below(400_000)
    : random.chance(0.1)
      ? random.below(5000)
      : random.below(60)
  const body = Buffer.alloc(ID_SIZE + size, id % 251)
  body.writeDoubleBE(id)
  return body
}

function readMessage({ content }: ConsumeMessage): Found {
  const id = content.readDoubleBE()
  const fill = id % 251
  const isWhole = content.subarray(ID_SIZE).every((byte) => byte === fill)
  return { id, isWhole }
}
