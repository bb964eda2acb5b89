/**
 * Kills a broker with SIGKILL while messages are dead-lettered: some expire, some are rejected. What was
 * confirmed must be in the source or in the dead letter queue after the start; it may be in both if the
 * kill came before the copy was known to be safe, and then it is moved once more. What was consumed from
 * the dead letter queue, and acknowledged before a persistent message that was confirmed, must be in
 * neither, unless an earlier kill may have left another copy.
 */
import assert from "node:assert/strict"
import { join } from "node:path"
import { test } from "node:test"
import { connect } from "amqplib"
import type { ChannelModel, ConfirmChannel, ConsumeMessage } from "amqplib"
import { BrokerProcess } from "../support/broker-process.ts"
import { eventually, pause, within } from "../support/eventually.ts"
import { chooseSeed, createRandom, timeBoxSeconds } from "../support/seed.ts"
import type { Random } from "../support/seed.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

const LOAD_MS_MAX = 500
const DEAD = "dead"
/** Messages of the first expire, those of the second are rejected by a consumer. */
const SOURCES = ["expiring", "rejected"] as const
/** To learn that everything before is on disk. */
const MARKS = "marks"

const seed = chooseSeed("crash-dead-letter")

test("a killed broker loses no dead letter and repeats none that was consumed", async (context) => {
  const random = createRandom(seed)
  const dataDirectory = join(temporaryDirectory(context), "data")
  const endMs = performance.now() + timeBoxSeconds(10, 60) * 1000
  const world = new World(random)
  let broker: BrokerProcess | null = null
  context.after(() => broker?.stop("SIGKILL"))
  let rounds = 0
  while (performance.now() < endMs) {
    const flags = random.chance(0.3) ? ["--no-sync"] : []
    broker = await BrokerProcess.start({ dataDirectory, flags })
    const connection = await open(broker)
    await world.declare(connection)
    const load = world.load(connection)
    await pause(random.below(LOAD_MS_MAX))
    await broker.stop(random.chance(0.9) ? "SIGKILL" : "SIGTERM")
    await within(load, "the end of the load")
    world.killed()
    rounds++
  }
  broker = await BrokerProcess.start({ dataDirectory })
  const connection = await open(broker)
  await world.verify(connection)
  await connection.close()
  await broker.stop()
  console.log(
    `dead letters: ${String(rounds)} rounds, ${String(world.confirmed.size)} confirmed, ` +
      `${String(world.consumed.size)} consumed for good`,
  )
  assert.ok(rounds > 1 && world.confirmed.size > 100 && world.consumed.size > 0, "too little done")
})

async function open(broker: BrokerProcess): Promise<ChannelModel> {
  const connection = await connect(broker.url)
  connection.on("error", () => {}) // The kill.
  return connection
}

async function createChannel(connection: ChannelModel): Promise<ConfirmChannel> {
  const channel = await connection.createConfirmChannel()
  channel.on("error", () => {})
  return channel
}

class World {
  readonly confirmed = new Set<number>()
  /** How often it was acknowledged from the dead letter queue for certain. */
  readonly consumed = new Map<number, number>()
  /** Copies that there may be; 1 if it is not in here. */
  readonly #copies = new Map<number, number>()
  /** Acknowledged, but nobody knows whether that was written. */
  readonly #uncertain = new Set<number>()
  readonly #problems: string[] = []
  readonly #random: Random
  #nextId = 1

  constructor(random: Random) {
    this.#random = random
  }

  async declare(connection: ChannelModel): Promise<void> {
    const channel = await createChannel(connection)
    await channel.assertQueue(DEAD, { durable: true })
    await channel.assertQueue(MARKS, { durable: true, arguments: { "x-max-length": 1 } })
    for (const name of SOURCES)
      await channel.assertQueue(name, {
        durable: true,
        arguments: {
          "x-dead-letter-exchange": "",
          "x-dead-letter-routing-key": DEAD,
          ...(name === "expiring" ? { "x-message-ttl": 30 } : {}),
        },
      })
  }

  async load(connection: ChannelModel): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      connection.on("close", resolve)
    })
    const results = await Promise.allSettled([
      this.#publish(connection),
      this.#reject(connection),
      this.#consumeDead(connection),
      closed,
    ])
    for (const result of results)
      if (result.status === "rejected" && !isConnectionLoss(result.reason)) throw result.reason
  }

  async #publish(connection: ChannelModel): Promise<void> {
    const random = this.#random
    const channel = await createChannel(connection)
    for (;;) {
      const burst = 1 + random.below(200)
      for (let i = 0; i < burst; i++) {
        const id = this.#nextId++
        const body = Buffer.alloc(
          8 + (random.chance(0.02) ? random.below(100_000) : random.below(40)),
        )
        body.writeDoubleBE(id)
        const isTimed = random.chance(0.2)
        channel.publish(
          "",
          random.pick(SOURCES),
          body,
          {
            persistent: true,
            ...(isTimed ? { expiration: String(random.below(50)) } : {}),
            ...(random.chance(0.2) ? { headers: { n: id } } : {}),
          },
          (error: unknown) => {
            if (error === null || error === undefined) this.confirmed.add(id)
          },
        )
      }
      await channel.waitForConfirms()
    }
  }

  async #reject(connection: ChannelModel): Promise<void> {
    const channel = await createChannel(connection)
    await channel.prefetch(100)
    await channel.consume("rejected", (message) => {
      if (message !== null) channel.nack(message, false, false)
    })
  }

  async #consumeDead(connection: ChannelModel): Promise<void> {
    const random = this.#random
    const channel = await createChannel(connection)
    await channel.prefetch(200)
    let acked: number[] = []
    await channel.consume(DEAD, (message) => {
      if (message === null) return
      const id = this.#check(message)
      if (random.chance(0.3)) return // Comes back with the next start.
      acked.push(id)
      this.#uncertain.add(id)
      channel.ack(message)
    })
    for (;;) {
      const certain = acked
      acked = []
      await new Promise<void>((resolve, reject) => {
        channel.sendToQueue(MARKS, Buffer.alloc(1), { persistent: true }, (error: unknown) => {
          if (error === null || error === undefined) resolve()
          else reject(new Error("closed"))
        })
      })
      for (const id of certain) this.consumed.set(id, this.#consumedCount(id) + 1)
      await pause(random.below(30))
    }
  }

  #check({ content }: ConsumeMessage): number {
    const id = content.readDoubleBE()
    if (id >= this.#nextId) this.#problems.push(`message ${String(id)} was never published`)
    if (this.#consumedCount(id) >= this.#copiesMax(id))
      this.#problems.push(`message ${String(id)} came again after it was consumed`)
    return id
  }

  #consumedCount(id: number): number {
    return this.consumed.get(id) ?? 0
  }

  #copiesMax(id: number): number {
    return this.#copies.get(id) ?? 1
  }

  /** What was on its way may have been copied and not settled. */
  killed(): void {
    for (let id = 1; id < this.#nextId; id++)
      if (this.#consumedCount(id) < this.#copiesMax(id))
        this.#copies.set(id, this.#copiesMax(id) + 1)
  }

  /** Everything ends in the dead letter queue: the rest of the sources is sent there too. */
  async verify(connection: ChannelModel): Promise<void> {
    await this.declare(connection)
    void this.#reject(connection)
    const channel = await createChannel(connection)
    const found = new Set<number>()
    await channel.consume(DEAD, (message) => {
      if (message === null) return
      found.add(this.#check(message))
      channel.ack(message)
    })
    await eventually(
      async () => {
        for (const name of [...SOURCES, DEAD])
          assert.equal((await channel.checkQueue(name)).messageCount, 0, name)
      },
      { timeoutMs: 30_000 },
    )
    await channel.checkQueue(DEAD) // The last deliveries are here before the reply.
    const lost = [...this.confirmed].filter(
      (id) => !found.has(id) && !this.consumed.has(id) && !this.#uncertain.has(id),
    )
    assert.deepEqual(this.#problems.slice(0, 20), [], `${String(this.#problems.length)} problems`)
    assert.deepEqual(lost.slice(0, 20), [], `${String(lost.length)} confirmed messages are lost`)
  }
}

function isConnectionLoss(error: unknown): boolean {
  return error instanceof Error && /clos|ended|ECONNRESET|EPIPE|320/i.test(error.message)
}
