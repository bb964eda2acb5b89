/** Which destination a consistent hash exchange chooses, how evenly, and what moves when one comes or goes. */
import assert from "node:assert/strict"
import { test } from "node:test"
import type { BasicProperties } from "../../../../src/amqp/properties.ts"
import { EMPTY_TABLE, TypedNumber, type PlainRecord } from "../../../../src/amqp/table.ts"
import { Refusal } from "../../../../src/broker/errors.ts"
import { RouteTargets } from "../../../../src/broker/exchange/destination.ts"
import type { BindingTable } from "../../../../src/broker/exchange/binding-table.ts"
import {
  checkTypeArguments,
  createBindingTable,
} from "../../../../src/broker/exchange/exchange-type.ts"
import { createExchange, createQueue, table, type TestQueue } from "./support.ts"

const KEY_COUNT = 10_000

function hashOf(args: PlainRecord = {}): BindingTable {
  return createBindingTable("x-consistent-hash", table(args))
}

const targets = new RouteTargets()
/** Passes of one collection have numbers that only grow, so it serves all tables. */
function chosen(
  bindings: BindingTable,
  routingKey: string,
  properties: BasicProperties | null = null,
): string {
  targets.begin()
  bindings.match(routingKey, properties, targets)
  assert.equal(targets.queueCount + targets.exchangeCount, 1)
  const target = targets.queueCount === 1 ? targets.queues[0] : targets.exchanges[0]
  return target!.name
}

/** The destinations of 10,000 keys. */
function choices(bindings: BindingTable): string[] {
  return Array.from({ length: KEY_COUNT }, (_, i) => chosen(bindings, `order.${i}`))
}

function shares(names: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1 / names.length)
  return counts
}

function bound(weights: readonly number[]): { bindings: BindingTable; queues: TestQueue[] } {
  const bindings = hashOf()
  const queues = weights.map((_, i) => createQueue(`q${i}`))
  for (const [i, queue] of queues.entries()) bindings.add(queue, String(weights[i]), EMPTY_TABLE)
  return { bindings, queues }
}

function checkHash(args: PlainRecord): void {
  checkTypeArguments("/", "e", "x-consistent-hash", table(args))
}

function checkDelayed(args: PlainRecord): void {
  checkTypeArguments("/", "e", "x-delayed-message", table(args))
}

function refusal(run: () => void): string {
  try {
    run()
  } catch (error) {
    assert.ok(error instanceof Refusal)
    assert.equal(error.kind, "precondition-failed")
    return error.message
  }
  return assert.fail("it was not refused")
}

for (const count of [2, 8, 9, 40])
  test(`${count} queues of the same weight get the same share`, () => {
    const { bindings } = bound(Array.from({ length: count }, () => 1))
    const found = shares(choices(bindings))
    assert.equal(found.size, count)
    // Three times the standard deviation of 10,000 throws of a fair die.
    const tolerance = 3.5 * Math.sqrt(1 / count / KEY_COUNT)
    for (const [name, share] of found)
      assert.ok(Math.abs(share - 1 / count) < tolerance, `${name} got ${share} of 1/${count}`)
  })

for (const weights of [
  [1, 2, 3, 4],
  [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 10],
  [1_000_000, 3_000_000],
])
  test(`shares follow the weights ${weights.join(", ")}`, () => {
    const { bindings } = bound(weights)
    const total = weights.reduce((sum, weight) => sum + weight, 0)
    const found = shares(choices(bindings))
    for (const [i, weight] of weights.entries()) {
      const share = found.get(`q${i}`) ?? 0
      assert.ok(Math.abs(share - weight / total) < 0.02, `q${i}: ${share} of ${weight / total}`)
    }
  })

test("the same key goes to the same queue, also in a broker that starts anew", () => {
  const first = bound([1, 2, 3])
  const second = bound([1, 2, 3])
  assert.deepEqual(choices(first.bindings), choices(second.bindings))
  // What is on the wire decides: these stay, or an upgrade moves everybody's keys.
  assert.deepEqual(
    ["a", "b", "c", "d", "e", "f"].map((key) => chosen(first.bindings, key)),
    ["q2", "q1", "q2", "q2", "q0", "q1"],
  )
})

test("the order of the bindings makes no difference", () => {
  const { bindings, queues } = bound(Array.from({ length: 20 }, (_, i) => 1 + (i % 3)))
  const reversed = hashOf()
  for (const [i, queue] of [...queues.entries()].toReversed())
    reversed.add(queue, String(1 + (i % 3)), EMPTY_TABLE)
  assert.deepEqual(choices(bindings), choices(reversed))
})

for (const count of [5, 20])
  test(`a queue that joins ${count} takes its share from all and moves nothing else`, () => {
    const { bindings } = bound(Array.from({ length: count }, () => 1))
    const before = choices(bindings)
    const newcomer = createQueue("new")
    bindings.add(newcomer, "1", EMPTY_TABLE)
    const after = choices(bindings)
    const moved = after.filter((name, i) => name !== before[i])
    assert.deepEqual([...new Set(moved)], ["new"])
    const share = moved.length / KEY_COUNT
    assert.ok(Math.abs(share - 1 / (count + 1)) < 0.015, `${share} moved`)
    bindings.removeDestination(newcomer, () => {})
    assert.deepEqual(choices(bindings), before, "as before, once it is gone")
  })

test("a queue that leaves gives its keys to the others, whose own stay", () => {
  const { bindings, queues } = bound([1, 2, 1, 5, 1, 1, 1, 1, 1, 1])
  const before = choices(bindings)
  assert.equal(bindings.remove(queues[3]!, "5", EMPTY_TABLE), true)
  for (const [i, name] of choices(bindings).entries()) {
    if (before[i] !== "q3") assert.equal(name, before[i])
    else assert.notEqual(name, "q3")
  }
})

test("of two bindings of one queue the older counts, and the other when it has gone", () => {
  const { bindings, queues } = bound([1, 1])
  const before = choices(bindings)
  assert.equal(bindings.add(queues[0]!, "9", EMPTY_TABLE), true)
  assert.equal(bindings.add(queues[0]!, "1", table({ other: true })), true)
  assert.deepEqual(choices(bindings), before)
  bindings.remove(queues[0]!, "1", EMPTY_TABLE)
  assert.deepEqual(choices(bindings), before, "the binding with arguments has the same weight")
  bindings.remove(queues[0]!, "1", table({ other: true }))
  const share = shares(choices(bindings)).get("q0") ?? 0
  assert.ok(Math.abs(share - 0.9) < 0.02, `${share}`)
})

test("a single queue gets everything, none gets nothing", () => {
  const { bindings, queues } = bound([3])
  assert.deepEqual([...shares(choices(bindings)).keys()], ["q0"])
  bindings.removeDestination(queues[0]!, () => {})
  targets.begin()
  bindings.match("k", null, targets)
  assert.equal(targets.queueCount, 0)
})

test("exchanges are destinations like queues, also one with the name of a queue", () => {
  const bindings = hashOf()
  bindings.add(createExchange("same", "fanout"), "1", EMPTY_TABLE)
  bindings.add(createQueue("same"), "1", EMPTY_TABLE)
  let queueCount = 0
  for (let i = 0; i < KEY_COUNT; i++) {
    targets.begin()
    bindings.match(`k${i}`, null, targets)
    queueCount += targets.queueCount
  }
  assert.ok(Math.abs(queueCount / KEY_COUNT - 0.5) < 0.02, `${queueCount}`)
})

test("a header is hashed in the place of the routing key, whatever its type", () => {
  for (const argument of ["hash-header", "x-hash-on"]) {
    const bindings = hashOf({ [argument]: "user" })
    for (let i = 0; i < 10; i++) bindings.add(createQueue(`q${i}`), "1", EMPTY_TABLE)
    assert.equal(bindings.usesProperties, true)
    const of = (headers: PlainRecord, key = "k"): string =>
      chosen(bindings, key, { headers: table(headers) })
    assert.equal(of({ user: "u1" }, "a"), of({ user: "u1" }, "b"))
    const names = Array.from({ length: 100 }, (_, i) => of({ user: i }))
    assert.ok(new Set(names).size > 5, "numbers are told apart")
    const wide = new Map([["user", new TypedNumber("l", 7n)]])
    assert.equal(chosen(bindings, "k", { headers: wide }), of({ user: 7 }))
    const without = chosen(bindings, "a", null)
    assert.equal(chosen(bindings, "b", {}), without)
    assert.equal(of({ other: 1 }), without)
  }
})

test("a property is hashed in the place of the routing key", () => {
  const cases: readonly [string, (i: number) => BasicProperties][] = [
    ["correlation_id", (i) => ({ correlationId: `c${i}` })],
    ["message_id", (i) => ({ messageId: `m${i}` })],
    ["timestamp", (i) => ({ timestamp: BigInt(i) })],
  ]
  for (const [property, properties] of cases) {
    const bindings = hashOf({ "hash-property": property })
    for (let i = 0; i < 10; i++) bindings.add(createQueue(`q${i}`), "1", EMPTY_TABLE)
    const names = Array.from({ length: 100 }, (_, i) => chosen(bindings, "k", properties(i)))
    assert.ok(new Set(names).size > 5)
    assert.equal(chosen(bindings, "x", properties(5)), names[5])
    assert.equal(chosen(bindings, "a", {}), chosen(bindings, "b", null))
  }
})

test("a weight is an integer from 1 on, in RabbitMQ's words; what is refused is not bound", () => {
  const bindings = hashOf()
  const queue = createQueue("q")
  for (const [key, message] of [
    ["x", 'The binding key must be an integer: <<"x">>'],
    ["", 'The binding key must be an integer: <<"">>'],
    ["1.5", 'The binding key must be an integer: <<"1.5">>'],
    ["0", "The binding key must be greater than 0"],
    ["-3", "The binding key must be greater than 0"],
    ["4294967296", "The binding key must not exceed 4294967295"],
  ] as const)
    assert.equal(
      refusal(() => bindings.add(queue, key, EMPTY_TABLE)),
      message,
    )
  assert.equal(bindings.size, 0)
  assert.equal(bindings.remove(queue, "x", EMPTY_TABLE), false)
})

test("arguments of the exchange are checked in RabbitMQ's words", () => {
  for (const args of [
    {},
    { "hash-header": "h" },
    { "hash-property": "message_id" },
    { "x-algorithm": "jump" },
    { "x-algorithm": "nonsense" },
    { "x-algorithm": "ring", "x-hash-on": "h" },
  ])
    checkHash(args)
  for (const [args, message] of [
    [
      { "hash-header": "h", "hash-property": "message_id" },
      "hash-header and hash-property are mutually exclusive",
    ],
    [
      { "x-hash-on": "h", "hash-property": "nonsense" },
      "hash-header and hash-property are mutually exclusive",
    ],
    [{ "hash-property": "user_id" }, "Unsupported property: user_id"],
    [{ "hash-property": 5 }, "Unsupported property: 5"],
    [
      { "hash-header": 5 },
      "invalid arg 'hash-header' for exchange 'e' in vhost '/': {unacceptable_type,signedint}",
    ],
    [
      { "x-hash-on": true },
      "invalid arg 'x-hash-on' for exchange 'e' in vhost '/': {unacceptable_type,bool}",
    ],
  ] as const)
    assert.equal(
      refusal(() => checkHash(args)),
      message,
    )
})

test("a thousand queues: a choice costs no more than looking it up, once it was made", () => {
  const { bindings } = bound(Array.from({ length: 1000 }, () => 1))
  const found = shares(choices(bindings))
  assert.ok(found.size > 990, `${found.size} of 1000 queues were reached`)
  assert.deepEqual(choices(bindings), choices(bindings))
})

test("modulus: the hash of the key decides, and every queue counts once", () => {
  const bindings = createBindingTable("x-modulus-hash")
  const queues = ["a", "b", "c"].map(createQueue)
  for (const queue of queues) bindings.add(queue, "", EMPTY_TABLE)
  for (const key of ["k", "l", "m"]) bindings.add(queues[0]!, key, EMPTY_TABLE)
  assert.equal(bindings.usesProperties, false)
  const found = shares(choices(bindings))
  assert.equal(found.size, 3)
  for (const share of found.values()) assert.ok(Math.abs(share - 1 / 3) < 0.02, `${share}`)
  assert.equal(chosen(bindings, "k"), chosen(bindings, "k"))
})

test("random: every queue gets its share, whatever the key", () => {
  const bindings = createBindingTable("x-random")
  for (let i = 0; i < 5; i++) bindings.add(createQueue(`q${i}`), "", EMPTY_TABLE)
  assert.equal(bindings.usesProperties, true, "no route is kept")
  const found = shares(Array.from({ length: KEY_COUNT }, () => chosen(bindings, "same")))
  assert.equal(found.size, 5)
  for (const share of found.values()) assert.ok(Math.abs(share - 0.2) < 0.02, `${share}`)
})

test("a delayed exchange has the bindings of the type that it names", () => {
  const bindings = createBindingTable(
    "x-delayed-message",
    table({ "x-delayed-type": "x-consistent-hash" }),
  )
  refusal(() => bindings.add(createQueue("q"), "x", EMPTY_TABLE))
  for (const type of ["direct", "fanout", "topic", "headers", "x-consistent-hash", "x-random"])
    checkDelayed({ "x-delayed-type": type })
  for (const args of [
    {},
    { "x-delayed-type": "x-delayed-message" },
    { "x-delayed-type": "nonsense" },
    { "x-delayed-type": 1 },
  ])
    assert.equal(
      refusal(() => checkDelayed(args)),
      "Invalid argument, 'x-delayed-type' must be an existing exchange type",
    )
  assert.equal(
    refusal(() => checkTypeArguments("/", "e", "direct", table({ "x-delayed-exchange": 1 }))),
    "invalid arg 'x-delayed-exchange' for exchange 'e' in vhost '/': {unacceptable_type,signedint}",
  )
})
