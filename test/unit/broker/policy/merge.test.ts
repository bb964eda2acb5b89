import assert from "node:assert/strict"
import { test } from "node:test"
import { tableFromPlain, type PlainRecord } from "../../../../src/amqp/table.ts"
import {
  resolveExchangeSettings,
  resolveQueueSettings,
} from "../../../../src/broker/policy/merge.ts"
import { PLAIN_EXCHANGE, PLAIN_QUEUE, type QueueSettings } from "../../../../src/broker/settings.ts"

type Plain = Readonly<Record<string, unknown>>

interface Sources {
  readonly type?: "classic" | "quorum" | "stream"
  readonly args?: PlainRecord
  readonly policy?: Plain
  readonly operator?: Plain
}

function resolve({ type = "classic", args = {}, policy, operator }: Sources): QueueSettings {
  return resolveQueueSettings(
    type,
    tableFromPlain(args),
    policy === undefined ? null : new Map(Object.entries(policy)),
    operator === undefined ? null : new Map(Object.entries(operator)),
  )
}

function quorumLimit(sources: Sources): number | null {
  return resolve({ type: "quorum", ...sources }).deliveryLimit
}

function streamAge(argument: string, policy: string): number | null {
  const args = { "x-max-age": argument }
  return resolve({ type: "stream", args, policy: { "max-age": policy } }).maxAgeMs
}

function delays(type: string, args: PlainRecord, policy: Plain): boolean {
  const definition = new Map(Object.entries(policy))
  return resolveExchangeSettings(type, tableFromPlain(args), definition).delayed
}

test("a classic queue about which nothing is said is plain, and always the same object", () => {
  assert.equal(resolve({}), PLAIN_QUEUE)
})

test("of numbers the smallest counts, wherever it stands", () => {
  const keys = [
    ["message-ttl", "messageTtlMs"],
    ["expires", "expiresMs"],
    ["max-length", "maxLength"],
    ["max-length-bytes", "maxLengthBytes"],
    ["consumer-timeout", "consumerTimeoutMs"],
  ] as const
  for (const [key, field] of keys) {
    const numbers = [10, 20, 30]
    for (const shift of [0, 1, 2]) {
      const at = (index: number): number => numbers[(index + shift) % 3]!
      const settings = resolve({
        args: { [`x-${key}`]: at(0) },
        policy: { [key]: at(1) },
        operator: { [key]: at(2) },
      })
      assert.equal(settings[field], 10, key)
    }
    assert.equal(resolve({ args: { [`x-${key}`]: 7 } })[field], 7)
    assert.equal(resolve({ policy: { [key]: 7 } })[field], 7)
    assert.equal(resolve({ operator: { [key]: 7 } })[field], 7)
  }
})

test("zero limits", () => {
  const settings = resolve({ args: { "x-message-ttl": 0 }, policy: { "max-length": 0 } })
  assert.equal(settings.messageTtlMs, 0)
  assert.equal(settings.maxLength, 0)
})

test("64-bit arguments count by their value", () => {
  assert.equal(resolve({ args: { "x-max-length": 5n } }).maxLength, 5)
})

test("of texts the argument counts before the policy", () => {
  const settings = resolve({
    args: { "x-dead-letter-exchange": "a" },
    policy: { "dead-letter-exchange": "p", "dead-letter-routing-key": "k" },
  })
  assert.equal(settings.deadLetterExchange, "a")
  assert.equal(settings.deadLetterRoutingKey, "k")
})

test("a dead-letter routing key without an exchange says nothing", () => {
  assert.equal(resolve({ policy: { "dead-letter-routing-key": "k" } }).deadLetterRoutingKey, null)
})

test("the default exchange is a dead-letter exchange too", () => {
  assert.equal(resolve({ args: { "x-dead-letter-exchange": "" } }).deadLetterExchange, "")
})

test("overflow: the argument, else the operator policy, else the policy", () => {
  const policy = { overflow: "reject-publish" }
  const operator = { overflow: "drop-head" }
  assert.equal(resolve({ policy }).overflow, "reject-publish")
  assert.equal(resolve({ policy, operator }).overflow, "drop-head")
  const args = { "x-overflow": "reject-publish-dlx" }
  assert.equal(resolve({ args, policy, operator }).overflow, "reject-publish-dlx")
  assert.equal(resolve({}).overflow, "drop-head")
})

test("a quorum queue knows no reject-publish-dlx", () => {
  const policy = { overflow: "reject-publish-dlx" }
  assert.equal(resolve({ type: "quorum", policy }).overflow, "drop-head")
})

test("a quorum queue has a delivery limit of 20 unless something is said", () => {
  assert.equal(quorumLimit({}), 20)
  assert.equal(quorumLimit({ args: { "x-delivery-limit": 50 } }), 50)
  assert.equal(quorumLimit({ args: { "x-delivery-limit": -1 } }), null)
  assert.equal(
    quorumLimit({ args: { "x-delivery-limit": -1 }, policy: { "delivery-limit": 5 } }),
    5,
  )
  assert.equal(
    quorumLimit({ args: { "x-delivery-limit": 9 }, policy: { "delivery-limit": -1 } }),
    9,
  )
  assert.equal(
    quorumLimit({ policy: { "delivery-limit": 5 }, operator: { "delivery-limit": 3 } }),
    3,
  )
  assert.equal(
    quorumLimit({ policy: { "delivery-limit": -2 }, operator: { "delivery-limit": -1 } }),
    null,
  )
  assert.equal(quorumLimit({ args: { "x-delivery-limit": 0 } }), 0)
})

test("a classic queue has a delivery limit if it is asked for", () => {
  assert.equal(resolve({}).deliveryLimit, null)
  assert.equal(resolve({ policy: { "delivery-limit": 3 } }).deliveryLimit, 3)
})

test("priorities and the single active consumer come from arguments only", () => {
  const policy = { "max-priority": 5, "single-active-consumer": true }
  assert.equal(resolve({ policy }).maxPriority, 0)
  assert.equal(resolve({ policy }).singleActiveConsumer, false)
  const settings = resolve({ args: { "x-max-priority": 5, "x-single-active-consumer": true } })
  assert.equal(settings.maxPriority, 5)
  assert.equal(settings.singleActiveConsumer, true)
})

test("deduplication has LavinMQ's defaults", () => {
  assert.equal(resolve({ args: { "x-cache-size": 5 } }).deduplication, null)
  assert.deepEqual(resolve({ args: { "x-message-deduplication": true } }).deduplication, {
    cacheSize: 128,
    ttlMs: null,
    header: "x-deduplication-header",
  })
  const args = {
    "x-message-deduplication": true,
    "x-cache-size": 5,
    "x-cache-ttl": 100,
    "x-deduplication-header": "key",
  }
  assert.deepEqual(resolve({ args }).deduplication, { cacheSize: 5, ttlMs: 100, header: "key" })
})

test("a stream heeds its own keys only", () => {
  const all = {
    expires: 1000,
    "message-ttl": 1,
    "dead-letter-exchange": "d",
    "max-length": 100,
    "max-length-bytes": 1000,
    overflow: "reject-publish",
    "delivery-limit": 1,
    "consumer-timeout": 1,
    "max-age": "1h",
    "stream-max-segment-size-bytes": 5000,
  }
  assert.deepEqual(resolve({ type: "stream", policy: all }), {
    ...PLAIN_QUEUE,
    maxLength: 100,
    maxLengthBytes: 1000,
    maxAgeMs: 3_600_000,
    streamSegmentBytes: 5000,
  })
  const classic = resolve({ policy: all })
  assert.equal(classic.maxAgeMs, null)
  assert.equal(classic.streamSegmentBytes, null)
})

test("of ages the shorter one counts, in RabbitMQ's units", () => {
  const dayMs = 86_400_000
  assert.equal(streamAge("1Y", "13M"), 365 * dayMs)
  assert.equal(streamAge("2M", "59D"), 59 * dayMs)
  assert.equal(streamAge("90m", "1h"), 3_600_000)
  assert.equal(streamAge("90s", "2m"), 90_000)
})

test("values that make no sense are ignored one by one", () => {
  const policy = {
    "message-ttl": "soon",
    expires: 0,
    "max-length": -1,
    "max-length-bytes": 10,
    overflow: "explode",
    "delivery-limit": 1.5,
    "dead-letter-exchange": 5,
    unknown: true,
  }
  assert.deepEqual(resolve({ policy }), { ...PLAIN_QUEUE, maxLengthBytes: 10 })
  const args = { "x-message-ttl": "soon", "x-max-length": -5, "x-expires": 1.5 }
  assert.deepEqual(resolve({ args }), PLAIN_QUEUE)
})

test("exchanges: the argument names the alternate exchange before the policy", () => {
  const policy = new Map([["alternate-exchange", "p"]])
  const of = (args: PlainRecord): string | null =>
    resolveExchangeSettings("direct", tableFromPlain(args), policy).alternateExchange
  assert.equal(of({}), "p")
  assert.equal(of({ "alternate-exchange": "a" }), "a")
  assert.equal(of({ "x-alternate-exchange": "x" }), "x")
})

test("exchanges delay by type, argument or policy", () => {
  assert.equal(delays("direct", {}, {}), false)
  assert.equal(delays("x-delayed-message", {}, {}), true)
  assert.equal(delays("direct", { "x-delayed-exchange": true }, {}), true)
  assert.equal(delays("direct", {}, { "delayed-message": true }), true)
  assert.equal(delays("direct", {}, { "delayed-message": "true" }), true)
  assert.equal(delays("direct", {}, { "delayed-message": false }), false)
})

test("an exchange about which nothing is said is plain", () => {
  const policy = new Map([["message-ttl", 1]])
  assert.equal(resolveExchangeSettings("topic", tableFromPlain({}), policy), PLAIN_EXCHANGE)
})
