/**
 * Kills a broker with SIGKILL while clients publish to a stream with confirms and consume it under a
 * name: what was confirmed is there at its offset, offsets have no gap, and the consumer goes on with
 * what it had not acknowledged, at the latest.
 */
import assert from "node:assert/strict"
import { join } from "node:path"
import { test } from "node:test"
import { connect } from "amqplib"
import type { ChannelModel, ConsumeMessage } from "amqplib"
import { BrokerProcess } from "../support/broker-process.ts"
import { pause, within } from "../support/eventually.ts"
import { Inbox } from "../support/inbox.ts"
import { chooseSeed, createRandom, timeBoxSeconds } from "../support/seed.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

const seed = chooseSeed("crash of a stream")
/** Many small segments. */
const ARGUMENTS = { "x-queue-type": "stream", "x-stream-max-segment-size-bytes": 20_000 }

class StreamLedger {
  nextId = 0
  /** Offsets by id, as they were seen. */
  readonly #offsets = new Map<number, number>()
  readonly confirmed = new Set<number>()
  /** The consumer has acknowledged all before this offset; -1 if it never has. */
  acknowledged = -1

  /** Reads all and compares. */
  async verify(connection: ChannelModel): Promise<void> {
    const channel = await connection.createChannel()
    await channel.assertQueue("log", { durable: true, arguments: ARGUMENTS })
    const { messageCount } = await channel.checkQueue("log")
    await channel.prefetch(1000)
    const inbox = new Inbox<ConsumeMessage | null>()
    await channel.consume("log", inbox.push, { arguments: { "x-stream-offset": "first" } })
    const found = new Set<number>()
    for (let offset = 0; offset < messageCount; offset++) {
      const [message] = await inbox.take(1)
      const id = Number(message!.content.toString().split(" ")[0])
      assert.equal(offsetOf(message!), offset)
      assert.equal(this.#offsets.get(id) ?? offset, offset, `message ${String(id)} has moved`)
      this.#offsets.set(id, offset)
      found.add(id)
      if (offset % 500 === 499) channel.ack(message!, true)
    }
    for (const id of this.confirmed) assert.ok(found.has(id), `message ${String(id)} is lost`)
    await channel.close()
  }

  /** Publishes and consumes until the broker is gone. */
  async load(connection: ChannelModel, size: number): Promise<void> {
    const closed = new Promise<void>((resolve) => void connection.on("close", resolve))
    try {
      const consumer = await connection.createChannel()
      consumer.on("error", () => {})
      await consumer.prefetch(50)
      let isFirst = true
      await consumer.consume(
        "log",
        (message) => {
          if (message === null) return
          const offset = offsetOf(message)
          if (isFirst && this.acknowledged >= 0)
            assert.ok(
              offset <= this.acknowledged,
              `${String(offset)} skips ${String(this.acknowledged)}`,
            )
          isFirst = false
          if (offset % 10 !== 9) return
          consumer.ack(message, true)
          this.acknowledged = Math.max(this.acknowledged, offset + 1)
        },
        { consumerTag: "worker" },
      )
      const publisher = await connection.createConfirmChannel()
      publisher.on("error", () => {})
      for (;;) {
        const ids = Array.from({ length: 20 }, () => this.nextId++)
        for (const id of ids)
          publisher.sendToQueue("log", Buffer.from(`${String(id)} `.padEnd(size)), {
            persistent: true,
          })
        await publisher.waitForConfirms()
        for (const id of ids) this.confirmed.add(id)
      }
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error
    }
    await closed
  }
}

function offsetOf(message: ConsumeMessage): number {
  return Number(message.properties.headers?.["x-stream-offset"])
}

test("a killed broker keeps a stream as it was", async (context) => {
  const random = createRandom(seed)
  const dataDirectory = join(temporaryDirectory(context), "data")
  const endMs = performance.now() + timeBoxSeconds(6, 40) * 1000
  const ledger = new StreamLedger()
  let broker: BrokerProcess | null = null
  context.after(() => broker?.stop("SIGKILL"))
  let rounds = 0
  for (; performance.now() < endMs; rounds++) {
    broker = await BrokerProcess.start({ dataDirectory })
    const connection = await connect(broker.url)
    connection.on("error", () => {}) // The kill.
    await ledger.verify(connection)
    const load = ledger.load(connection, 20 + random.below(300))
    await pause(100 + random.below(500))
    await broker.stop("SIGKILL")
    await within(load, "the end of the load")
  }
  console.log(`crash: ${String(rounds)} rounds, ${String(ledger.confirmed.size)} confirmed`)
  assert.ok(rounds > 1 && ledger.confirmed.size > 40, "the test did next to nothing")
})
