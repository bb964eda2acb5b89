/**
 * Random changes of policies, declarations and deletions between the slices of runs that are under way:
 * in the end every queue has exactly what its arguments and the policies of that moment say.
 */
import assert from "node:assert/strict"
import { test } from "node:test"
import { EMPTY_TABLE, tableFromPlain, type Table } from "../../../../src/amqp/table.ts"
import { EffectiveSettings } from "../../../../src/broker/policy/effective-settings.ts"
import { resolveQueueSettings } from "../../../../src/broker/policy/merge.ts"
import { PolicyList } from "../../../../src/broker/policy/policy-list.ts"
import { queueTypeOf } from "../../../../src/broker/queue-type.ts"
import { PLAIN_QUEUE, type QueueSettings } from "../../../../src/broker/settings.ts"
import { ManualClock } from "../../../../src/util/clock.ts"
import { silentLogger } from "../../../../src/util/logger.ts"
import { chooseSeed, createRandom, type Random } from "../../../support/seed.ts"
import { MemoryDocument } from "../../auth/memory-document.ts"

const ROUNDS = 30
const STEPS = 200
const NAMES = 60

class ModelQueue {
  readonly name: string
  readonly arguments: Table
  settings: QueueSettings = PLAIN_QUEUE
  deleted = false

  constructor(name: string, args: Table) {
    this.name = name
    this.arguments = args
  }

  configure(settings: QueueSettings): void {
    assert.ok(!this.deleted, "a deleted queue is left alone")
    this.settings = settings
  }
}

/** A turn takes few queues, and ends when the test says so. */
class StepClock extends ManualClock {
  #looks = 0
  #next: (() => void)[] = []

  override refresh(): void {
    if (++this.#looks % 5 === 0) this.nowMs++
  }

  override setImmediate(callback: () => void): void {
    this.#next.push(callback)
  }

  turn(): boolean {
    const callbacks = this.#next
    this.#next = []
    for (const callback of callbacks) callback()
    return callbacks.length > 0
  }
}

class Model {
  readonly clock = new StepClock()
  readonly queues = new Map<string, ModelQueue>()
  readonly policies = this.#newList(false)
  readonly operatorPolicies = this.#newList(true)
  readonly effective = new EffectiveSettings({
    policies: this.policies,
    operatorPolicies: this.operatorPolicies,
    queues: this.queues,
    exchanges: new Map(),
    clock: this.clock,
    onExchangesChanged: () => {},
  })
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
  }

  #newList(isOperator: boolean): PolicyList {
    return new PolicyList({
      vhostName: "/",
      isOperator,
      document: new MemoryDocument(null),
      clock: this.clock,
      log: silentLogger,
      onChanged: () => this.effective.changed(),
    })
  }

  step(): void {
    const random = this.#random
    const name = `${random.pick(["a", "b", "c"])}.${String(random.below(NAMES))}`
    switch (random.below(6)) {
      case 0:
      case 1:
        this.#declare(name)
        break
      case 2:
        this.#delete(name)
        break
      case 3:
        this.#setPolicy()
        break
      case 4:
        void random.pick([this.policies, this.operatorPolicies]).delete(String(random.below(4)))
        break
      default:
        this.clock.turn()
    }
  }

  #declare(name: string): void {
    if (this.queues.has(name)) return
    const random = this.#random
    const type = random.pick(["classic", "quorum", "stream"])
    const args = random.chance(0.5)
      ? EMPTY_TABLE
      : tableFromPlain({ "x-queue-type": type, "x-max-length": random.below(100) })
    const queue = new ModelQueue(name, args)
    this.queues.set(name, queue)
    queue.configure(this.effective.ofQueue(name, args))
  }

  #delete(name: string): void {
    const queue = this.queues.get(name)
    if (queue === undefined) return
    this.queues.delete(name)
    queue.deleted = true
  }

  #setPolicy(): void {
    const random = this.#random
    void random.pick([this.policies, this.operatorPolicies]).set(String(random.below(4)), {
      pattern: random.pick(["", "^a", "^b\\.", "[13579]$", "^(a|b)+\\."]),
      applyTo: random.pick(["all", "queues", "classic_queues", "quorum_queues", "streams"]),
      priority: random.below(3),
      definition: {
        "max-length": random.below(100),
        ...(random.chance(0.5) ? { "message-ttl": random.below(100) } : {}),
        ...(random.chance(0.5) ? { "delivery-limit": random.below(10) - 2 } : {}),
      },
    })
  }

  check(): void {
    while (this.clock.turn());
    for (const { name, arguments: args, settings } of this.queues.values()) {
      const type = queueTypeOf(args)
      const policy = this.policies.match(type, name)?.definition ?? null
      const operatorPolicy = this.operatorPolicies.match(type, name)?.definition ?? null
      assert.deepEqual(settings, resolveQueueSettings(type, args, policy, operatorPolicy), name)
    }
  }
}

test("whatever changes during a run, every queue ends with what holds", async () => {
  const random = createRandom(chooseSeed("effective settings"))
  for (let round = 0; round < ROUNDS; round++) {
    const model = new Model(random)
    for (let step = 0; step < STEPS; step++) model.step()
    model.check()
    await model.effective.applied()
  }
})
