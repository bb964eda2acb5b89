import type { Table } from "../../amqp/table.ts"
import type { Clock } from "../../util/clock.ts"
import type { Exchange } from "../exchange/exchange.ts"
import type { MessageQueue } from "../queue/message-queue.ts"
import { queueTypeOf, type QueueType } from "../queue-type.ts"
import { PLAIN_EXCHANGE, PLAIN_QUEUE } from "../settings.ts"
import type { ExchangeSettings, QueueSettings } from "../settings.ts"
import type { Definition } from "./definition.ts"
import { resolveExchangeSettings, resolveQueueSettings } from "./merge.ts"
import type { Policy, PolicyList, PolicySubject } from "./policy-list.ts"
import { isEffectiveKey, isValidValue } from "./rules.ts"
import { areFederatedAlike } from "../federated-items.ts"

/**
 * Gives the queues and exchanges of a vhost the settings that arguments and policies make, when they are
 * declared and whenever a policy changes. Which policy counts is policy-list.ts, how they merge merge.ts.
 *
 * A change looks at every queue and exchange, in slices of SLICE_MS per turn of the event loop, so that
 * 100,000 queues hold nobody up. The first slice runs at once: few queues have the change when the call
 * returns. A change during a run does not start it anew, or frequent changes would never reach the last
 * queues: those ahead get the newest settings as the run comes by, and one more run follows for the
 * others. What is declared meanwhile has the newest from the start.
 *
 * Queues with equal settings share one object, so a queue that a change does not concern is found out by
 * one comparison, and 100,000 queues under one policy hold one set of settings. Nothing else is kept per
 * queue: the names of its policies are looked up when somebody asks.
 */
const SLICE_MS = 2
/** Settings that are shared; with more different ones than that, some are held twice. */
const SHARED_MAX = 4096

interface Configurable<T> {
  readonly name: string
  readonly arguments: Table
  readonly settings: T
  configure(settings: T): void
}

type ConfigurableQueue = Pick<
  MessageQueue,
  "name" | "arguments" | "settings" | "configure" | "deleted"
>
type ConfigurableExchange = Configurable<ExchangeSettings> & Pick<Exchange, "type">

export interface EffectiveSettingsOptions {
  readonly policies: PolicyList
  readonly operatorPolicies: PolicyList
  readonly queues: ReadonlyMap<string, ConfigurableQueue>
  readonly exchanges: ReadonlyMap<string, ConfigurableExchange>
  readonly clock: Clock
  /** Exchanges route differently now. */
  readonly onExchangesChanged: () => void
  /** It is federated otherwise than before. Default: nobody wants to know. */
  readonly onFederationChanged?: (item: "exchange" | "queue", name: string) => void
}

/** Which policies count for a queue or exchange, and what they say together. */
export interface PolicyEffect {
  readonly policy: string | null
  readonly operatorPolicy: string | null
  /** Without keys that mean nothing. */
  readonly definition: Definition
}

export class EffectiveSettings {
  readonly #options: EffectiveSettingsOptions
  readonly #shared = new Map<string, QueueSettings | ExchangeSettings>()
  /** Of queues without arguments (classic ones), by the policies that count; void with each change. */
  readonly #ofPlainQueues = new Map<string, QueueSettings>()
  #run: Iterator<() => void> | null = null
  /** A change came during the run. */
  #isStale = false
  #isStopped = false
  #waiting: (() => void)[] = []

  constructor(options: EffectiveSettingsOptions) {
    this.#options = options
    this.#sharePlain()
  }

  ofQueue(name: string, args: Table): QueueSettings {
    const { policies, operatorPolicies } = this.#options
    const type = queueTypeOf(args)
    const policy = policies.match(type, name)
    const operatorPolicy = operatorPolicies.match(type, name)
    if (args.size > 0) return this.#resolveQueue(type, args, policy, operatorPolicy)
    const key = `${policy?.name ?? ""}\0${operatorPolicy?.name ?? ""}`
    let settings = this.#ofPlainQueues.get(key)
    if (settings === undefined) {
      settings = this.#resolveQueue(type, args, policy, operatorPolicy)
      this.#ofPlainQueues.set(key, settings)
    }
    return settings
  }

  #resolveQueue(
    type: QueueType,
    args: Table,
    policy: Policy | null,
    operatorPolicy: Policy | null,
  ): QueueSettings {
    return this.#share(
      resolveQueueSettings(
        type,
        args,
        policy?.definition ?? null,
        operatorPolicy?.definition ?? null,
      ),
    )
  }

  ofExchange(name: string, type: string, args: Table): ExchangeSettings {
    const policy = this.#options.policies.match("exchange", name)
    return this.#share(resolveExchangeSettings(type, args, policy?.definition ?? null))
  }

  /** Of a queue (by its type) or exchange, for the management. */
  effectOf(subject: PolicySubject, name: string): PolicyEffect {
    const policy = this.#options.policies.match(subject, name)
    const operatorPolicy = this.#options.operatorPolicies.match(subject, name)
    return {
      policy: policy?.name ?? null,
      operatorPolicy: operatorPolicy?.name ?? null,
      definition: mergeDefinitions(policy, operatorPolicy),
    }
  }

  /** Resolves when the last change has reached every queue and exchange. */
  applied(): Promise<void> {
    if (this.#run === null) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** A policy came, changed or went. Resolves when every queue and exchange has the change. */
  changed(): Promise<void> {
    this.#ofPlainQueues.clear()
    if (this.#run !== null) this.#isStale = true
    else if (!this.#isStopped) {
      this.#run = this.#visits()
      this.#slice()
    }
    return this.applied()
  }

  /** The vhost closes: nothing is applied any more. */
  stop(): void {
    this.#isStopped = true
    this.#finish()
  }

  /** All at once, for a start, when nobody waits for anything else. */
  applyAll(): void {
    for (const visit of this.#visits()) visit()
  }

  #slice(): void {
    if (this.#run === null) return // Stopped.
    const { clock } = this.#options
    clock.refresh()
    const endMs = clock.nowMs + SLICE_MS
    for (;;) {
      const next = this.#run.next()
      if (next.done === true) break
      next.value()
      clock.refresh()
      if (clock.nowMs >= endMs) {
        clock.setImmediate(() => this.#slice())
        return
      }
    }
    if (this.#isStale) {
      this.#isStale = false
      this.#run = this.#visits()
      clock.setImmediate(() => this.#slice())
      return
    }
    this.#finish()
  }

  #finish(): void {
    this.#run = null
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }

  /** A Map's iterator stands changes of the map: what is deleted is left out, what is new comes last. */
  *#visits(): IterableIterator<() => void> {
    const { queues, exchanges, onExchangesChanged, onFederationChanged = () => {} } = this.#options
    for (const exchange of exchanges.values())
      yield () => {
        const settings = this.ofExchange(exchange.name, exchange.type, exchange.arguments)
        if (settings === exchange.settings || exchanges.get(exchange.name) !== exchange) return
        const before = exchange.settings.federation
        exchange.configure(settings)
        onExchangesChanged()
        if (!areFederatedAlike(before, settings.federation))
          onFederationChanged("exchange", exchange.name)
      }
    for (const queue of queues.values())
      yield () => {
        const settings = this.ofQueue(queue.name, queue.arguments)
        if (settings === queue.settings || queue.deleted) return
        const before = queue.settings.federation
        queue.configure(settings)
        if (!areFederatedAlike(before, settings.federation))
          onFederationChanged("queue", queue.name)
      }
  }

  /** The same object for equal settings. */
  #share<T extends QueueSettings | ExchangeSettings>(settings: T): T {
    const key = JSON.stringify(settings)
    const shared = this.#shared.get(key)
    // The key holds every field, so what is found has the same type.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    if (shared !== undefined) return shared as T
    if (this.#shared.size >= SHARED_MAX) this.#sharePlain()
    this.#shared.set(key, settings)
    return settings
  }

  /** What is plain is always the same object: queues and exchanges begin with it. */
  #sharePlain(): void {
    this.#shared.clear()
    this.#shared.set(JSON.stringify(PLAIN_QUEUE), PLAIN_QUEUE)
    this.#shared.set(JSON.stringify(PLAIN_EXCHANGE), PLAIN_EXCHANGE)
  }
}

/** For show: what counts is merged from the parts by merge.ts, with the same rules. */
function mergeDefinitions(policy: Policy | null, operatorPolicy: Policy | null): Definition {
  const merged = new Map<string, unknown>()
  for (const [key, value] of policy?.definition ?? [])
    if (isEffectiveKey(key) && isValidValue(key, value)) merged.set(key, value)
  for (const [key, value] of operatorPolicy?.definition ?? []) {
    if (!isEffectiveKey(key) || !isValidValue(key, value)) continue
    const present = merged.get(key)
    const isNumber = typeof value === "number" && typeof present === "number"
    merged.set(key, isNumber ? strictest(key, value, present) : value)
  }
  return merged
}

function strictest(key: string, a: number, b: number): number {
  return key === "delivery-limit" && (a < 0 || b < 0) ? Math.max(a, b) : Math.min(a, b)
}
