import assert from "node:assert/strict"
import { test } from "node:test"
import { EMPTY_TABLE, tableFromPlain, type Table } from "../../../../src/amqp/table.ts"
import { EffectiveSettings } from "../../../../src/broker/policy/effective-settings.ts"
import { PolicyList } from "../../../../src/broker/policy/policy-list.ts"
import { PLAIN_EXCHANGE, PLAIN_QUEUE } from "../../../../src/broker/settings.ts"
import type { ExchangeSettings, QueueSettings } from "../../../../src/broker/settings.ts"
import { ManualClock } from "../../../../src/util/clock.ts"
import { silentLogger } from "../../../../src/util/logger.ts"
import { MemoryDocument } from "../../auth/memory-document.ts"

class FakeQueue {
  readonly name: string
  readonly arguments: Table
  settings: QueueSettings = PLAIN_QUEUE
  deleted = false
  configureCount = 0

  constructor(name: string, args: Table = EMPTY_TABLE) {
    this.name = name
    this.arguments = args
  }

  configure(settings: QueueSettings): void {
    this.settings = settings
    this.configureCount++
  }
}

class FakeExchange {
  readonly name: string
  readonly type = "topic"
  readonly arguments = EMPTY_TABLE
  settings: ExchangeSettings = PLAIN_EXCHANGE

  constructor(name: string) {
    this.name = name
  }

  configure(settings: ExchangeSettings): void {
    this.settings = settings
  }
}

/** Time goes on by 1 ms with so many looks at it, and turns end when the test says so. */
class SlicingClock extends ManualClock {
  looksPerMs = Number.POSITIVE_INFINITY
  #looks = 0
  #next: (() => void)[] = []

  override refresh(): void {
    if (++this.#looks < this.looksPerMs) return
    this.#looks = 0
    this.nowMs++
  }

  override setImmediate(callback: () => void): void {
    this.#next.push(callback)
  }

  /** False if nothing waited for a turn. */
  turn(): boolean {
    const callbacks = this.#next
    this.#next = []
    for (const callback of callbacks) callback()
    return callbacks.length > 0
  }
}

function setUp(queueCount: number): {
  clock: SlicingClock
  policies: PolicyList
  operatorPolicies: PolicyList
  queues: Map<string, FakeQueue>
  exchanges: Map<string, FakeExchange>
  effective: EffectiveSettings
  /** How often. */
  exchangeChanges: () => number
} {
  const clock = new SlicingClock()
  let exchangeChanges = 0
  const newList = (isOperator: boolean): PolicyList =>
    new PolicyList({
      vhostName: "/",
      isOperator,
      document: new MemoryDocument(null),
      clock,
      log: silentLogger,
      onChanged: () => effective.changed(),
    })
  const policies = newList(false)
  const operatorPolicies = newList(true)
  const queues = new Map<string, FakeQueue>()
  for (let i = 0; i < queueCount; i++) queues.set(`q${i}`, new FakeQueue(`q${i}`))
  const exchanges = new Map([["x", new FakeExchange("x")]])
  const effective = new EffectiveSettings({
    policies,
    operatorPolicies,
    queues,
    exchanges,
    clock,
    onExchangesChanged: () => exchangeChanges++,
  })
  return {
    clock,
    policies,
    operatorPolicies,
    queues,
    exchanges,
    effective,
    exchangeChanges: () => exchangeChanges,
  }
}

const ttl = (ms: number): { pattern: string; definition: object } => ({
  pattern: "",
  definition: { "message-ttl": ms },
})

test("a change reaches what exists before the call returns, if that is little", async () => {
  const { policies, queues, effective } = setUp(10)
  const saved = policies.set("p", ttl(5))
  assert.ok([...queues.values()].every(({ settings }) => settings.messageTtlMs === 5))
  await saved
  await policies.delete("p")
  assert.ok([...queues.values()].every(({ settings }) => settings === PLAIN_QUEUE))
  await effective.applied()
})

test("queues of equal settings share them, and others are left alone", async () => {
  const { policies, queues } = setUp(10)
  await policies.set("p", { pattern: "^q[0-4]$", definition: { "message-ttl": 5 } })
  const settings = new Set([...queues.values()].map((queue) => queue.settings))
  assert.equal(settings.size, 2)
  assert.equal(queues.get("q9")?.configureCount, 0)
  await policies.set("q", { pattern: "^q9$", definition: { "message-ttl": 5 } })
  assert.equal(queues.get("q9")?.settings, queues.get("q0")?.settings)
  assert.equal(queues.get("q0")?.configureCount, 1)
  await policies.set("p", { pattern: "^q[0-4]$", definition: { "message-ttl": 5 }, priority: 3 })
  assert.equal(queues.get("q0")?.configureCount, 1)
})

test("many queues are worked through in slices of 2 ms", async () => {
  const { clock, policies, queues, effective } = setUp(1000)
  clock.looksPerMs = 10
  void policies.set("p", ttl(5))
  const changed = (): number =>
    [...queues.values()].filter(({ settings }) => settings.messageTtlMs === 5).length
  assert.ok(changed() < 25)
  let isApplied = false
  const applied = effective.applied().then(() => (isApplied = true))
  let turnCount = 0
  for (let last = changed(); clock.turn(); turnCount++) {
    assert.ok(changed() - last < 25)
    last = changed()
  }
  assert.ok(turnCount > 40 && turnCount < 100, String(turnCount))
  assert.equal(changed(), 1000)
  await applied
  assert.ok(isApplied)
})

test("what is declared or deleted during a run is right", async () => {
  const { clock, policies, queues, effective } = setUp(200)
  clock.looksPerMs = 10
  void policies.set("p", ttl(5))
  const doomed = queues.get("q150")!
  queues.delete("q150")
  doomed.deleted = true
  const late = new FakeQueue("late", tableFromPlain({ "x-message-ttl": 3 }))
  late.configure(effective.ofQueue(late.name, late.arguments))
  assert.equal(late.settings.messageTtlMs, 3)
  queues.set("late", late)
  while (clock.turn());
  await effective.applied()
  assert.equal(doomed.configureCount, 0)
  assert.equal(late.configureCount, 1)
  assert.ok([...queues.values()].every(({ settings }) => settings.messageTtlMs !== null))
})

test("a change during a run reaches all queues, also when changes do not stop", async () => {
  const { clock, policies, queues, effective } = setUp(500)
  clock.looksPerMs = 10
  void policies.set("p", ttl(1))
  for (let ms = 2; ms <= 100; ms++) {
    clock.turn()
    void policies.set("p", ttl(ms))
  }
  assert.ok([...queues.values()].every(({ settings }) => settings.messageTtlMs !== null))
  while (clock.turn());
  await effective.applied()
  assert.ok([...queues.values()].every(({ settings }) => settings.messageTtlMs === 100))
})

test("an exchange that is configured voids the routes", async () => {
  const { policies, exchanges, exchangeChanges } = setUp(0)
  await policies.set("p", { pattern: "", definition: { "alternate-exchange": "ae" } })
  assert.equal(exchanges.get("x")?.settings.alternateExchange, "ae")
  assert.equal(exchangeChanges(), 1)
  await policies.set("p", { pattern: "", definition: { "alternate-exchange": "ae" }, priority: 1 })
  assert.equal(exchangeChanges(), 1)
  await policies.delete("p")
  assert.equal(exchanges.get("x")?.settings, PLAIN_EXCHANGE)
})

test("policies and operator policies merge, and the management sees how", async () => {
  const { policies, operatorPolicies, queues, effective } = setUp(1)
  await policies.set("p", {
    pattern: "",
    definition: { "message-ttl": 10, "max-length": 5, overflow: "drop-head", "queue-mode": "lazy" },
  })
  await operatorPolicies.set("o", {
    pattern: "",
    definition: { "message-ttl": 7, "max-length": 9, overflow: "reject-publish" },
  })
  const { settings } = queues.get("q0")!
  assert.equal(settings.messageTtlMs, 7)
  assert.equal(settings.maxLength, 5)
  assert.equal(settings.overflow, "reject-publish")
  const effect = effective.effectOf("classic", "q0")
  assert.equal(effect.policy, "p")
  assert.equal(effect.operatorPolicy, "o")
  assert.deepEqual(Object.fromEntries(effect.definition), {
    "message-ttl": 7,
    "max-length": 5,
    overflow: "reject-publish",
  })
  await policies.delete("p")
  await operatorPolicies.delete("o")
  assert.deepEqual(effective.effectOf("classic", "q0"), {
    policy: null,
    operatorPolicy: null,
    definition: new Map(),
  })
})

test("nothing is applied after the stop, and nobody waits for it", async () => {
  const { clock, policies, queues, effective } = setUp(500)
  clock.looksPerMs = 10
  void policies.set("p", ttl(1))
  const applied = effective.applied()
  effective.stop()
  await applied
  while (clock.turn());
  void policies.set("p", ttl(2))
  assert.ok([...queues.values()].filter(({ settings }) => settings !== PLAIN_QUEUE).length < 50)
})
