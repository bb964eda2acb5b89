import assert from "node:assert/strict"
import { test } from "node:test"
import {
  EMPTY_TABLE,
  tableFromPlain,
  TypedNumber,
  type FieldValue,
  type PlainRecord,
  type Table,
} from "../../../src/amqp/table.ts"
import {
  checkConsumerArguments,
  checkExchangeArguments,
  checkExchangeEquivalence,
  checkName,
  checkQueueArguments,
  checkQueueEquivalence,
  type ExchangeAttributes,
  type QueueCandidate,
} from "../../../src/broker/arguments.ts"
import { Refusal } from "../../../src/broker/errors.ts"

const QUEUE: QueueCandidate = {
  name: "q",
  durable: true,
  exclusive: false,
  autoDelete: false,
  arguments: EMPTY_TABLE,
}
const EXCHANGE: ExchangeAttributes = {
  name: "x",
  type: "direct",
  durable: true,
  autoDelete: false,
  internal: false,
  arguments: EMPTY_TABLE,
}

function refusalOf(action: () => void): string {
  try {
    action()
  } catch (error) {
    assert.ok(error instanceof Refusal, String(error))
    assert.equal(error.kind, "precondition-failed")
    return error.message
  }
  return assert.fail("must be refused")
}

function declare(args: PlainRecord, changes: Partial<QueueCandidate> = {}): void {
  checkQueueArguments("/", { ...QUEUE, ...changes, arguments: tableFromPlain(args) })
}

/** What comes after the colon of "invalid arg 'name' for queue 'q' in vhost '/': …". */
function complaint(args: PlainRecord, name = Object.keys(args)[0]!): string {
  const message = refusalOf(() => declare(args))
  const start = `invalid arg '${name}' for queue 'q' in vhost '/': `
  assert.ok(message.startsWith(start), message)
  return message.slice(start.length)
}

test("arguments within their ranges are accepted, unknown ones of any type too", () => {
  declare({})
  declare({
    "x-expires": 1,
    "x-message-ttl": 0,
    "x-dead-letter-exchange": "dlx",
    "x-dead-letter-routing-key": "k",
    "x-max-length": 0,
    "x-max-length-bytes": 2 ** 40,
    "x-max-priority": 255,
    "x-overflow": "reject-publish-dlx",
    "x-queue-mode": "lazy",
    "x-queue-version": 2,
    "x-queue-type": "classic",
    "x-single-active-consumer": true,
    "x-consumer-timeout": 60_000,
    "x-delivery-limit": -1,
    "x-message-deduplication": true,
    "x-cache-size": 10,
    "x-unknown": [1, { a: null }],
    other: "y",
  })
  declare({
    "x-queue-type": "stream",
    "x-max-age": "7D",
    "x-max-length-bytes": 1,
    "x-max-length": 1,
  })
  declare({ "x-queue-type": "quorum", "x-delivery-limit": 5, "x-quorum-initial-group-size": 3 })
})

test("integers of every width are integers, floats and strings are not", () => {
  for (const value of [
    new TypedNumber("b", 5),
    new TypedNumber("u", 5),
    new TypedNumber("I", 5),
    new TypedNumber("l", 5n),
  ])
    checkQueueArguments("/", { ...QUEUE, arguments: new Map([["x-expires", value]]) })
  assert.equal(complaint({ "x-expires": "1000" }), '"expected integer, got longstr"')
  assert.equal(complaint({ "x-expires": 1000.5 }), '"expected integer, got double"')
  assert.equal(complaint({ "x-max-length": true }), '"expected integer, got bool"')
  assert.equal(complaint({ "x-message-ttl": null }), '"expected integer, got void"')
  assert.equal(complaint({ "x-delivery-limit": "5" }), '"expected integer, got longstr"')
})

test("integers out of their range are refused with RabbitMQ's terms", () => {
  assert.equal(complaint({ "x-expires": 0 }), "{value_zero,0}")
  assert.equal(complaint({ "x-expires": -1 }), "{value_negative,-1}")
  assert.equal(complaint({ "x-expires": 315_360_000_001 }), "{value_too_big,315360000001}")
  declare({ "x-expires": 315_360_000_000 })
  assert.equal(complaint({ "x-message-ttl": -5 }), "{value_negative,-5}")
  assert.equal(complaint({ "x-message-ttl": 2n ** 62n }), "{value_too_big,4611686018427387904}")
  assert.equal(complaint({ "x-max-length": -1 }), "{value_negative,-1}")
  assert.equal(complaint({ "x-max-length-bytes": -1 }), "{value_negative,-1}")
  assert.equal(complaint({ "x-max-priority": 256 }), "{max_value_exceeded,256}")
  assert.equal(complaint({ "x-max-priority": -1 }), "{value_negative,-1}")
  assert.equal(complaint({ "x-consumer-timeout": -1 }), "{value_negative,-1}")
  assert.equal(complaint({ "x-queue-version": 3 }), "\"unsupported queue version '3'\"")
})

test("words and flags are checked", () => {
  assert.equal(complaint({ "x-overflow": "explode" }), "invalid_overflow")
  assert.equal(complaint({ "x-overflow": 1 }), "{unacceptable_type,signedint}")
  assert.equal(complaint({ "x-queue-mode": "eager" }), "invalid_queue_mode")
  assert.equal(complaint({ "x-queue-type": "x" }), "\"unsupported queue type 'x'\"")
  assert.equal(complaint({ "x-queue-type": 7 }), "{unacceptable_type,signedint}")
  assert.equal(complaint({ "x-single-active-consumer": "true" }), "{unacceptable_type,longstr}")
  assert.equal(complaint({ "x-dead-letter-strategy": "never" }), "invalid_dlx_strategy")
  assert.equal(complaint({ "x-queue-leader-locator": "moon" }), "invalid_queue_locator_arg")
  for (const age of ["", "7", "D", "0D", "-1D", "7X", "7D ", "7 D"])
    assert.equal(complaint({ "x-max-age": age }), "invalid_max_age")
})

test("a dead-letter routing key needs an exchange, and the exchange must be a string", () => {
  assert.equal(complaint({ "x-dead-letter-routing-key": "k" }), "routing_key_but_no_dlx_defined")
  assert.equal(
    complaint({ "x-dead-letter-routing-key": 1, "x-dead-letter-exchange": "e" }),
    "{unacceptable_type,signedint}",
  )
  assert.equal(
    refusalOf(() => declare({ "x-dead-letter-exchange": 1 })),
    "invalid type 'signedint' for arg 'x-dead-letter-exchange' in queue 'q' in vhost '/'",
  )
})

test("quorum queues and streams refuse the arguments and properties that they cannot have", () => {
  for (const name of ["x-expires", "x-message-ttl", "x-max-priority", "x-delivery-limit"])
    assert.equal(
      refusalOf(() => declare({ "x-queue-type": "stream", [name]: 5 })),
      `invalid arg '${name}' for queue 'q' in vhost '/' of queue type rabbit_stream_queue`,
    )
  assert.equal(
    refusalOf(() => declare({ "x-queue-type": "quorum", "x-max-priority": 5 })),
    "invalid arg 'x-max-priority' for queue 'q' in vhost '/' of queue type rabbit_quorum_queue",
  )
  const changes: [Partial<QueueCandidate>, string][] = [
    [{ durable: false }, "non-durable"],
    [{ exclusive: true }, "exclusive-owner"],
    [{ autoDelete: true }, "auto-delete"],
  ]
  for (const [change, property] of changes) {
    declare({}, change)
    for (const type of ["quorum", "stream"])
      assert.equal(
        refusalOf(() => declare({ "x-queue-type": type }, change)),
        `invalid property '${property}' for queue 'q' in vhost '/'`,
      )
  }
  assert.equal(
    refusalOf(() => declare({ "x-queue-type": "quorum" }, { isServerNamed: true })),
    "Cannot declare a server-named queue for type rabbit_quorum_queue",
  )
})

test("exchange and consumer arguments are checked", () => {
  checkExchangeArguments("/", "x", tableFromPlain({ "alternate-exchange": "ae", other: 1 }))
  for (const name of ["alternate-exchange", "x-alternate-exchange"])
    assert.equal(
      refusalOf(() => checkExchangeArguments("v", "x", tableFromPlain({ [name]: true }))),
      `invalid type 'bool' for arg '${name}' in exchange 'x' in vhost 'v'`,
    )
  checkConsumerArguments("/", "q", tableFromPlain({ "x-priority": -10, "x-credit": "any" }))
  assert.equal(
    refusalOf(() => checkConsumerArguments("/", "q", tableFromPlain({ "x-priority": "high" }))),
    "invalid arg 'x-priority' for queue 'q' in vhost '/': \"expected integer, got longstr\"",
  )
})

test("names with line breaks or more than 255 bytes are refused, not trimmed", () => {
  checkName("queue", "ordinary name, ünïcode, even \t tabs")
  checkName("queue", "x".repeat(255))
  assert.match(
    refusalOf(() => checkName("queue", "a\nb")),
    /^queue name "a\\nb" contains a line break/,
  )
  assert.match(
    refusalOf(() => checkName("exchange", "a\r")),
    /^exchange name .* line break/,
  )
  assert.match(
    refusalOf(() => checkName("queue", "é".repeat(128))),
    /longer than 255 bytes/,
  )
})

test("an equal redeclaration is equivalent, whatever the order and number types", () => {
  const current: Table = new Map<string, FieldValue>([
    ["x-expires", new TypedNumber("I", 1000)],
    ["x-other", "y"],
  ])
  const received: Table = new Map<string, FieldValue>([
    ["x-other", "y"],
    ["x-expires", new TypedNumber("d", 1000)],
  ])
  checkQueueEquivalence("/", { ...QUEUE, arguments: current }, { ...QUEUE, arguments: received })
  const classic = tableFromPlain({ "x-queue-type": "classic" })
  checkQueueEquivalence("/", QUEUE, { ...QUEUE, arguments: classic })
  checkQueueEquivalence("/", { ...QUEUE, arguments: classic }, QUEUE)
})

function queueDifference(
  current: Partial<QueueCandidate>,
  received: Partial<QueueCandidate>,
): string {
  return refusalOf(() =>
    checkQueueEquivalence("/", { ...QUEUE, ...current }, { ...QUEUE, ...received }),
  )
}

function expires(value: string | number): Partial<QueueCandidate> {
  return { arguments: tableFromPlain({ "x-expires": value }) }
}

test("differences of a queue are named as RabbitMQ names them", () => {
  const start = "inequivalent arg 'x-expires' for queue 'q' in vhost '/': received"
  assert.equal(
    queueDifference({ durable: false }, { durable: true }),
    "inequivalent arg 'durable' for queue 'q' in vhost '/': received 'true' but current is 'false'",
  )
  assert.equal(
    queueDifference({ autoDelete: true }, { autoDelete: false }),
    "inequivalent arg 'auto_delete' for queue 'q' in vhost '/': received 'false' but current is 'true'",
  )
  assert.equal(
    queueDifference({}, expires(1000)),
    `${start} the value '1000' of type 'signedint' but current is none`,
  )
  assert.equal(
    queueDifference(expires(1000), {}),
    `${start} none but current is the value '1000' of type 'signedint'`,
  )
  assert.equal(
    queueDifference(expires(1000), expires(2000)),
    `${start} '2000' but current is '1000'`,
  )
  assert.equal(queueDifference(expires(10), expires("10")), `${start} '10' but current is '10'`)
})

test("arguments that nobody knows make a difference for queues, none for exchanges", () => {
  const unknown = { arguments: tableFromPlain({ unknown: "v", "x-unknown": [1] }) }
  assert.equal(
    queueDifference({}, unknown),
    "inequivalent arg 'unknown' for queue 'q' in vhost '/': received the value 'v' of type 'longstr' but current is none",
  )
  checkExchangeEquivalence("/", EXCHANGE, { ...EXCHANGE, ...unknown })
})

function startFor(name: string): string {
  return `inequivalent arg '${name}' for exchange 'x' in vhost '/':`
}

test("differences of an exchange are named as RabbitMQ names them", () => {
  const difference = (change: Partial<ExchangeAttributes>): string =>
    refusalOf(() => checkExchangeEquivalence("/", EXCHANGE, { ...EXCHANGE, ...change }))
  checkExchangeEquivalence("/", EXCHANGE, { ...EXCHANGE, arguments: new Map() })
  assert.equal(
    difference({ type: "fanout", durable: false }),
    `${startFor("type")} received 'fanout' but current is 'direct'`,
  )
  assert.equal(
    difference({ durable: false }),
    `${startFor("durable")} received 'false' but current is 'true'`,
  )
  assert.equal(
    difference({ autoDelete: true }),
    `${startFor("auto_delete")} received 'true' but current is 'false'`,
  )
  assert.equal(
    difference({ internal: true }),
    `${startFor("internal")} received 'true' but current is 'false'`,
  )
  assert.equal(
    difference({ arguments: tableFromPlain({ "alternate-exchange": "ae" }) }),
    `${startFor("alternate-exchange")} received the value 'ae' of type 'longstr' but current is none`,
  )
})
