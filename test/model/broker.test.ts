/**
 * Random work of two connections on a whole broker, compared with a model after every step: counts,
 * order, redelivered flags, nothing lost, nothing twice, confirms only for what is safe.
 */
import assert from "node:assert/strict"
import { test } from "node:test"
import * as fc from "fast-check"
import { restartQueue } from "../../src/broker/restart-queue.ts"
import type { Vhost } from "../../src/broker/vhost.ts"
import { encodePublish } from "../../src/amqp/content.ts"
import { chooseSeed, timeBoxSeconds } from "../support/seed.ts"
import { ModelChannel, ModelQueue, type ModelMessage } from "./queue-model.ts"
import { World, type Client, type Received } from "./world.ts"

const QUEUE_NAMES = ["first", "second"]
const CONSUMER_CHANNELS = [1, 2, 3]
const PUBLISHER_CHANNEL = 1
/** Above 64 KiB a message is written by itself. */
const BODY_SIZES = [0, 10, 10, 10, 300, 5000, 70_000]

class Scenario {
  readonly world = new World()
  readonly queues = QUEUE_NAMES.map((name) => new ModelQueue(name))
  channels = CONSUMER_CHANNELS.map((id) => new ModelChannel(id))
  /** Numbers on the publisher's channel that are not confirmed. */
  readonly #unconfirmed = new Set<number>()
  #publisher!: Client
  #consumer!: Client
  #lastId = 0
  #lastNumber = 0
  #lastConsumer = 0
  readonly #replies: Received[] = []

  async start(): Promise<void> {
    await this.world.start()
    await this.#connect()
    for (const { name } of this.queues)
      this.#publisher.send("queue.declare", PUBLISHER_CHANNEL, { queue: name, durable: true })
    await this.#expect() // The replies wait for the disk.
    await this.world.finishSyncs()
    await this.#expect("queue.declare-ok", "queue.declare-ok")
  }

  async #connect(): Promise<void> {
    this.#publisher = this.world.connect()
    this.#publisher.send("channel.open", PUBLISHER_CHANNEL)
    this.#publisher.send("confirm.select", PUBLISHER_CHANNEL)
    this.#lastNumber = 0
    this.#unconfirmed.clear()
    await this.#connectConsumer()
  }

  async #connectConsumer(): Promise<void> {
    this.#consumer = this.world.connect()
    this.channels = CONSUMER_CHANNELS.map((id) => new ModelChannel(id))
    for (const { id } of this.channels) this.#consumer.send("channel.open", id)
    await this.world.advance(() => {})
  }

  // ---- what arrives

  readonly #onReceived = (client: Client, received: Received): void => {
    if (received.name === "basic.ack" && client === this.#publisher) this.#onConfirm(received)
    else if (received.name === "basic.deliver") this.#onDelivery(received)
    else this.#replies.push(received)
  }

  #onConfirm({ args: { deliveryTag, multiple } }: Received): void {
    assert.ok(this.#unconfirmed.has(Number(deliveryTag)), `confirm ${String(deliveryTag)} is due`)
    for (const number of this.#unconfirmed)
      if (number === deliveryTag || (multiple === true && number < Number(deliveryTag)))
        this.#unconfirmed.delete(number)
  }

  #onDelivery({ channel: channelId, args, body }: Received): void {
    const channel = this.channels[channelId - 1]!
    const consumer = channel.consumers.get(String(args["consumerTag"]))
    assert.ok(consumer !== undefined, `a delivery for ${String(args["consumerTag"])}`)
    const { queue } = consumer
    assert.equal(args["routingKey"], queue.name)
    const message = queue.take(body, args["redelivered"])
    channel.deliver(args["deliveryTag"], message, queue, consumer, consumer.noAck)
  }

  /** Waits until the broker rests; these replies, and no other, must have come. */
  async #expect(...names: readonly string[]): Promise<Received[]> {
    await this.world.advance(this.#onReceived)
    const replies = this.#replies.splice(0)
    assert.deepEqual(
      replies.map(({ name }) => name),
      names,
    )
    for (const queue of this.queues) queue.checkDelivered()
    return replies
  }

  // ---- steps

  async publish(
    queue: ModelQueue,
    count: number,
    size: number,
    persistent: boolean,
  ): Promise<void> {
    const properties = persistent ? { deliveryMode: 2 } : {}
    const frames: Buffer[] = []
    const unsafe: ModelMessage[] = []
    for (let i = 0; i < count; i++) {
      const id = ++this.#lastId
      const bodySize = BODY_SIZES[(size + i) % BODY_SIZES.length]!
      const message = { id, body: Buffer.alloc(bodySize, `${id} `), wasDelivered: false }
      queue.put(message)
      const { body } = message
      frames.push(encodePublish(PUBLISHER_CHANNEL, { routingKey: queue.name, properties, body }))
      this.#unconfirmed.add(++this.#lastNumber)
      unsafe.push(message)
    }
    this.#publisher.sendBytes(...frames)
    await this.#expect()
    const last = this.#unconfirmed.has(this.#lastNumber)
    if (!persistent) assert.ok(!last, "a transient message waits for no disk")
    else if (queue.ready.includes(unsafe.at(-1)!))
      assert.ok(last, "a persistent message is confirmed when it is on disk")
  }

  async finishSyncs(): Promise<void> {
    await this.world.finishSyncs()
    await this.#expect()
    assert.equal(this.#unconfirmed.size, 0, "all that is on disk is confirmed")
  }

  async consume(
    channel: ModelChannel,
    queue: ModelQueue,
    prefetchCount: number,
    noAck: boolean,
  ): Promise<void> {
    const consumerTag = `c${++this.#lastConsumer}`
    this.#consumer.send("basic.qos", channel.id, { prefetchCount })
    channel.consume(consumerTag, queue, noAck, prefetchCount)
    this.#consumer.send("basic.consume", channel.id, { queue: queue.name, consumerTag, noAck })
    await this.#expect("basic.qos-ok", "basic.consume-ok")
  }

  async cancel(channel: ModelChannel, at: number): Promise<void> {
    const tags = [...channel.consumers.keys()]
    const consumerTag = tags[at % tags.length]
    if (consumerTag === undefined) return
    this.#consumer.send("basic.cancel", channel.id, { consumerTag })
    channel.cancel(consumerTag)
    await this.#expect("basic.cancel-ok")
  }

  async get(channel: ModelChannel, queue: ModelQueue, noAck: boolean): Promise<void> {
    this.#consumer.send("basic.get", channel.id, { queue: queue.name, noAck })
    const isEmpty = queue.ready.length === 0 || queue.isPaused
    const [reply] = await this.#expect(isEmpty ? "basic.get-empty" : "basic.get-ok")
    if (isEmpty) return
    const message = queue.take(reply!.body, reply!.args["redelivered"])
    assert.equal(reply!.args["messageCount"], queue.ready.length)
    channel.deliver(reply!.args["deliveryTag"], message, queue, null, noAck)
  }

  /** One of ack, nack and reject, for one delivery, all up to one, or all there are. */
  async settle(channel: ModelChannel, at: number, kind: number): Promise<void> {
    const tags = [...channel.outstanding.keys()]
    const multiple = kind >= 4
    const requeue = kind % 2 === 1
    const deliveryTag = kind === 6 ? 0 : tags[at % tags.length]
    if (deliveryTag === undefined) return
    channel.settle(deliveryTag, multiple, requeue)
    if (requeue) this.#consumer.send("basic.nack", channel.id, { deliveryTag, multiple, requeue })
    else if (kind === 2) this.#consumer.send("basic.reject", channel.id, { deliveryTag })
    else this.#consumer.send("basic.ack", channel.id, { deliveryTag, multiple })
    await this.#expect()
  }

  async recover(channel: ModelChannel): Promise<void> {
    channel.settle(0, true, true)
    this.#consumer.send("basic.recover", channel.id, { requeue: true })
    await this.#expect("basic.recover-ok")
  }

  async purge(queue: ModelQueue): Promise<void> {
    const messageCount = queue.ready.splice(0).length
    this.#publisher.send("queue.purge", PUBLISHER_CHANNEL, { queue: queue.name })
    const [reply] = await this.#expect("queue.purge-ok")
    assert.equal(reply!.args["messageCount"], messageCount)
  }

  async count(queue: ModelQueue): Promise<void> {
    this.#publisher.send("queue.declare", PUBLISHER_CHANNEL, { queue: queue.name, passive: true })
    const [reply] = await this.#expect("queue.declare-ok")
    assert.equal(reply!.args["messageCount"], queue.ready.length)
    assert.equal(reply!.args["consumerCount"], queue.consumers.length)
    const real = this.world.running.broker.vhosts.get("/")!.queues.get(queue.name)!
    assert.equal(real.unackedCount, queue.unackedCount)
  }

  async closeChannel(at: number): Promise<void> {
    const channel = this.channels[at]!
    channel.close()
    this.channels[at] = new ModelChannel(channel.id)
    this.#consumer.send("channel.close", channel.id)
    this.#consumer.send("channel.open", channel.id)
    await this.#expect("channel.close-ok", "channel.open-ok")
  }

  async loseConnection(): Promise<void> {
    for (const channel of this.channels) channel.close()
    this.#consumer.vanish()
    await this.#connectConsumer()
    await this.#expect()
  }

  async restart(): Promise<void> {
    for (const channel of this.channels) channel.close()
    await this.world.stop()
    await this.world.start()
    // Who was given a message is not kept.
    for (const { ready } of this.queues) for (const message of ready) message.wasDelivered = false
    await this.#connect()
    await this.#expect()
  }

  async setPaused(queue: ModelQueue, isPaused: boolean): Promise<void> {
    queue.isPaused = isPaused
    const saved = this.#vhost.paused.set(this.#vhost.queue(queue.name, null), isPaused)
    await this.finishSyncs()
    await saved
  }

  async restartQueue(queue: ModelQueue): Promise<void> {
    for (const channel of this.channels) channel.giveBack(queue)
    for (const message of queue.ready) message.wasDelivered = false
    restartQueue(this.world.running.broker, this.#vhost, this.#vhost.queue(queue.name, null))
    await this.#expect() // These clients do not ask to be told.
  }

  get #vhost(): Vhost {
    return this.world.running.broker.vhosts.get("/")!
  }

  /** Idle stores give their files back. */
  async passTime(): Promise<void> {
    this.world.clock.advance(3000)
    await this.#expect()
  }

  /** Everything is still there, once, after a restart. */
  async finish(): Promise<void> {
    await this.finishSyncs()
    await this.restart()
    for (const queue of this.queues) {
      await this.count(queue)
      await this.setPaused(queue, false)
      await this.consume(this.channels[0]!, queue, 0, true)
      assert.equal(queue.ready.length, 0)
    }
  }
}

type Step = readonly [kind: string, a: number, b: number, c: number]

const KINDS: readonly (readonly [string, number])[] = [
  ["publish", 8],
  ["consume", 4],
  ["cancel", 2],
  ["get", 4],
  ["settle", 10],
  ["recover", 1],
  ["purge", 1],
  ["count", 2],
  ["closeChannel", 1],
  ["loseConnection", 1],
  ["finishSyncs", 4],
  ["passTime", 1],
  ["pause", 1],
  ["restartQueue", 1],
  ["restart", 1],
]

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.tuple(
    fc.oneof(...KINDS.map(([kind, weight]) => ({ weight, arbitrary: fc.constant(kind) }))),
    fc.nat({ max: 5 }),
    fc.nat({ max: 11 }),
    fc.nat({ max: 29 }),
  ),
  { minLength: 1, maxLength: 80 },
)

function run(scenario: Scenario, [kind, a, b, c]: Step): Promise<void> {
  const queue = scenario.queues[a % 2]!
  const at = a % scenario.channels.length
  const channel = scenario.channels[at]!
  switch (kind) {
    case "publish":
      return scenario.publish(queue, 1 + c, b, c % 3 > 0)
    case "consume":
      return scenario.consume(channel, queue, [1, 1, 3, 10, 0][b % 5]!, c % 4 === 0)
    case "cancel":
      return scenario.cancel(channel, b)
    case "get":
      return scenario.get(channel, queue, c % 3 === 0)
    case "settle":
      return scenario.settle(channel, c, b % 7)
    case "recover":
      return scenario.recover(channel)
    case "purge":
      return scenario.purge(queue)
    case "count":
      return scenario.count(queue)
    case "closeChannel":
      return scenario.closeChannel(at)
    case "loseConnection":
      return scenario.loseConnection()
    case "finishSyncs":
      return scenario.finishSyncs()
    case "passTime":
      return scenario.passTime()
    case "pause":
      return scenario.setPaused(queue, !queue.isPaused)
    case "restartQueue":
      return scenario.restartQueue(queue)
    default:
      return scenario.restart()
  }
}

test("whatever clients do, queues hold and hand out what they should", async () => {
  const seed = chooseSeed("model") | 0
  let count = 0
  await fc.assert(
    fc.asyncProperty(steps, async (list) => {
      const scenario = new Scenario()
      try {
        await scenario.start()
        for (const step of list) await run(scenario, step)
        await scenario.finish()
      } finally {
        await scenario.world.stop()
      }
      count++
    }),
    {
      seed,
      numRuns: 1_000_000,
      interruptAfterTimeLimit: timeBoxSeconds(5, 30) * 1000,
      markInterruptAsFailure: false,
    },
  )
  console.log(`model: ${count} scenarios`)
  assert.ok(count > 0)
})
