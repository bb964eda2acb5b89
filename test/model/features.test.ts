/**
 * Random work on queues with time to live, dead letters, limits, priorities and delivery limits, with
 * restarts in between, against plain arrays. After every step each queue must hold the messages that
 * the model says, in its order, with the deaths that they have died.
 */
import assert from "node:assert/strict"
import { test } from "node:test"
import * as fc from "fast-check"
import { encodePublish } from "../../src/amqp/content.ts"
import { decodeProperties } from "../../src/amqp/properties.ts"
import {
  numberOf,
  tableFromPlain,
  type FieldValue,
  type PlainRecord,
} from "../../src/amqp/table.ts"
import { deathsOf } from "../../src/broker/dead-letter/deaths.ts"
import { Queue } from "../../src/broker/queue/queue.ts"
import { chooseSeed, timeBoxSeconds } from "../support/seed.ts"
import { FeatureModel, type Message, type QueueModel } from "./feature-model.ts"
import { World, type Client } from "./world.ts"

/** Ticks of the timer wheel are a part of it, so that nothing is late. */
const UNIT_MS = 160

interface Settings {
  /** In units. */
  readonly ttl: number | null
  readonly maxLength: number | null
  readonly overflow: "drop-head" | "reject-publish" | "reject-publish-dlx"
  readonly maxPriority: number | null
  readonly deliveryLimit: number | null
  readonly hasDeadLetters: boolean
  /** Of the dead letter queue, which sends them back. */
  readonly returnTtl: number | null
}

type Step =
  | {
      readonly kind: "publish"
      readonly toDead: boolean
      readonly priority: number
      readonly expiration: number
    }
  | { readonly kind: "get"; readonly fromDead: boolean; readonly noAck: boolean }
  | { readonly kind: "settle"; readonly at: number; readonly how: "ack" | "requeue" | "reject" }
  | { readonly kind: "wait"; readonly units: number }
  | { readonly kind: "restart" }

const maybe = (max: number): fc.Arbitrary<number | null> => fc.option(fc.nat(max), { freq: 2 })

const settings: fc.Arbitrary<Settings> = fc
  .record({
    ttl: fc.option(fc.integer({ min: 1, max: 3 }), { freq: 1 }),
    maxLength: maybe(4),
    overflow: fc.constantFrom("drop-head", "reject-publish", "reject-publish-dlx"),
    maxPriority: fc.option(fc.integer({ min: 1, max: 3 }), { freq: 1 }),
    deliveryLimit: maybe(2),
    hasDeadLetters: fc.boolean(),
    returnTtl: fc.option(fc.integer({ min: 1, max: 2 }), { freq: 1 }),
  })
  // What comes back at the moment in which others leave is refused or not, as it happens.
  .map((all) => (all.returnTtl === null ? all : Object.assign(all, { overflow: "drop-head" })))

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("publish" as const),
      toDead: fc.nat(5).map((n) => n === 0),
      priority: fc.nat(4),
      // In units; 3 is none.
      expiration: fc.nat(5).map((n) => Math.min(n, 3)),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("get" as const),
      fromDead: fc.nat(3).map((n) => n === 0),
      noAck: fc.nat(3).map((n) => n === 0),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("settle" as const),
      at: fc.nat(10),
      how: fc.constantFrom("ack", "requeue", "requeue", "reject"),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("wait" as const),
      units: fc.integer({ min: 1, max: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "restart" as const }) },
)

const SOURCE = "source"
const DEAD = "dead"

class Run {
  readonly #world = new World()
  readonly #model: FeatureModel
  readonly #settings: Settings
  #client!: Client
  #nextId = 1
  /** What the client has got and not settled, by delivery tag. */
  #outstanding: { readonly tag: number; readonly message: Message; readonly queue: QueueModel }[] =
    []

  constructor(all: Settings) {
    this.#settings = all
    this.#model = new FeatureModel(
      {
        name: SOURCE,
        ttlMs: all.ttl === null ? null : all.ttl * UNIT_MS,
        maxLength: all.maxLength,
        overflow: all.overflow,
        maxPriority: all.maxPriority ?? 0,
        deliveryLimit: all.deliveryLimit,
        deadLettersTo: all.hasDeadLetters ? DEAD : null,
      },
      {
        name: DEAD,
        ttlMs: all.returnTtl === null ? null : all.returnTtl * UNIT_MS,
        maxLength: null,
        overflow: "drop-head",
        maxPriority: 0,
        deliveryLimit: null,
        deadLettersTo: all.returnTtl === null ? null : SOURCE,
      },
    )
  }

  async start(): Promise<void> {
    await this.#world.start()
    await this.#connect()
    this.#declare(SOURCE, this.#sourceArguments())
    const { returnTtl } = this.#settings
    this.#declare(
      DEAD,
      returnTtl === null
        ? {}
        : {
            "x-message-ttl": returnTtl * UNIT_MS,
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": SOURCE,
          },
    )
    await this.#idle()
  }

  async #connect(): Promise<void> {
    this.#client = this.#world.connect()
    this.#client.send("channel.open", 1)
    await this.#idle()
  }

  #declare(queue: string, args: PlainRecord): void {
    this.#client.send("queue.declare", 1, {
      queue,
      durable: true,
      nowait: true,
      arguments: tableFromPlain(args),
    })
  }

  #sourceArguments(): PlainRecord {
    const { ttl, maxLength, overflow, maxPriority, deliveryLimit, hasDeadLetters } = this.#settings
    return {
      ...(ttl === null ? {} : { "x-message-ttl": ttl * UNIT_MS }),
      ...(maxLength === null ? {} : { "x-max-length": maxLength, "x-overflow": overflow }),
      ...(maxPriority === null ? {} : { "x-max-priority": maxPriority }),
      ...(deliveryLimit === null ? {} : { "x-delivery-limit": deliveryLimit }),
      ...(hasDeadLetters
        ? { "x-dead-letter-exchange": "", "x-dead-letter-routing-key": DEAD }
        : {}),
    }
  }

  async #idle(): Promise<void> {
    await this.#world.advance((_, { name, args }) => {
      assert.ok(!name.endsWith(".close"), `${name} ${JSON.stringify(args)}`)
    })
    await this.#world.finishSyncs()
  }

  async step(one: Step): Promise<void> {
    if (one.kind === "publish") this.#publish(one)
    else if (one.kind === "get") await this.#get(one.fromDead, one.noAck)
    else if (one.kind === "settle") this.#settle(one.at, one.how)
    else if (one.kind === "restart") await this.#restart()
    else for (let i = 0; i < one.units; i++) await this.#wait()
    await this.#idle()
    this.check()
  }

  #publish({ toDead, priority, expiration }: Step & { kind: "publish" }): void {
    const id = this.#nextId++
    const expires = expiration < 3
    this.#client.sendBytes(
      encodePublish(
        1,
        {
          routingKey: toDead ? DEAD : SOURCE,
          properties: {
            deliveryMode: 2,
            priority,
            ...(expires ? { expiration: String(expiration * UNIT_MS) } : {}),
          },
          body: Buffer.from(String(id)),
        },
        0,
      ),
    )
    this.#model.publish(toDead ? DEAD : SOURCE, {
      id,
      priority,
      ownTtlMs: expires ? expiration * UNIT_MS : null,
    })
  }

  async #get(fromDead: boolean, noAck: boolean): Promise<void> {
    const name = fromDead ? DEAD : SOURCE
    const expected = this.#model.take(name, noAck)
    this.#client.send("basic.get", 1, { queue: name, noAck })
    let got: { body: string; tag: number } | null = null
    await this.#world.advance((_, received) => {
      if (received.name === "basic.get-ok")
        got = { body: received.body.toString(), tag: Number(received.args["deliveryTag"]) }
    })
    const { body, tag } = got ?? { body: null, tag: 0 }
    assert.equal(body, expected === null ? null : String(expected.id), "basic.get")
    if (expected !== null && !noAck)
      this.#outstanding.push({ tag, message: expected, queue: this.#model.queue(name) })
  }

  #settle(at: number, how: "ack" | "requeue" | "reject"): void {
    if (this.#outstanding.length === 0) return
    const [taken] = this.#outstanding.splice(at % this.#outstanding.length, 1)
    const { tag, message, queue } = taken!
    if (how === "ack") this.#client.send("basic.ack", 1, { deliveryTag: tag })
    else this.#client.send("basic.reject", 1, { deliveryTag: tag, requeue: how === "requeue" })
    if (how === "requeue") this.#model.requeue(queue, [message])
    else if (how === "reject") this.#model.reject(queue, message)
  }

  async #wait(): Promise<void> {
    await this.#idle()
    this.#world.clock.advance(UNIT_MS)
    this.#model.advance(UNIT_MS)
  }

  async #restart(): Promise<void> {
    await this.#idle()
    await this.#world.stop()
    for (const { message, queue } of this.#outstanding) this.#model.requeue(queue, [message])
    this.#outstanding = []
    await this.#world.start()
    await this.#connect()
    await this.#wait() // Heads are looked at by and by.
  }

  check(): void {
    for (const name of [SOURCE, DEAD]) {
      const { ready } = this.#model.queue(name)
      assert.deepEqual(this.#held(name), ready.map(shownMessage), name)
    }
  }

  /** Ids and deaths of the messages that the broker holds, in the order of delivery. */
  #held(name: string): string[] {
    const held: string[] = []
    const queue = this.#world.running.broker.vhosts.get("/")!.queues.get(name)
    assert.ok(queue instanceof Queue)
    queue.store?.browse(0, ({ chunk, propertiesStart, propertiesEnd, bodyStart, bodyEnd }) => {
      const { headers } = decodeProperties(chunk.bytes, propertiesStart, propertiesEnd)
      const deaths = headers === undefined ? [] : deathsOf(headers)
      held.push(
        [
          chunk.bytes.toString("latin1", bodyStart, bodyEnd),
          ...deaths.map((death) =>
            ["queue", "reason", "count"].map((field) => toText(death.get(field))).join(" "),
          ),
        ].join(", "),
      )
      return true
    })
    return held
  }

  async end(): Promise<void> {
    await this.#world.stop()
  }
}

function toText(value: FieldValue | undefined): string {
  return typeof value === "string" ? value : String(numberOf(value))
}

function shownMessage({ id, deaths }: Message): string {
  return [
    String(id),
    ...deaths.map(({ queue, reason, count }) => `${queue} ${reason} ${count}`),
  ].join(", ")
}

test("queues with all features at once do what the model says", async () => {
  const seed = chooseSeed("features")
  await fc.assert(
    fc.asyncProperty(settings, fc.array(step, { maxLength: 40 }), async (all, steps) => {
      const run = new Run(all)
      await run.start()
      try {
        for (const one of steps) await run.step(one)
      } finally {
        await run.end()
      }
    }),
    { seed: seed | 0, numRuns: 2000, interruptAfterTimeLimit: timeBoxSeconds(8, 60) * 1000 },
  )
})
