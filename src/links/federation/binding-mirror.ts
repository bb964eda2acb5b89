import { isArray, isTable, numberOf, TypedNumber } from "../../amqp/table.ts"
import type { FieldValue, Table } from "../../amqp/table.ts"
import { hasSeen } from "../../broker/exchange/federation-exchange.ts"
import { tableKey } from "../../broker/exchange/table-key.ts"

/**
 * The bindings that an exchange at the upstream must have so that messages come which the local exchange
 * has bindings for: one for each that differs in key or arguments, with a note in its arguments from
 * where it comes (x-bound-from). Sends what changes, in order, so many at a time; what changes while it
 * waits to be sent is sent once, so that no more is held than there are bindings.
 *
 * A binding goes as far as messages may come: each link it passes takes one of the hops that the link
 * nearest to its origin allows, and it ends where it has been before.
 */
export interface MirrorOptions {
  readonly clusterName: string
  readonly vhost: string
  /** Name of the local exchange, with the suffix of the exchange at the upstream. */
  readonly exchange: string
  readonly hopsMax: number
  readonly upstreamCluster: string | null
  readonly upstreamVhost: string
  readonly bind: (routingKey: string, args: Table) => Promise<void>
  readonly unbind: (routingKey: string, args: Table) => Promise<void>
  readonly onError: (error: unknown) => void
}

const BOUND_FROM = "x-bound-from"
/** Commands without a reply, at one time. */
const UNDER_WAY_MAX = 256

interface Mirrored {
  readonly routingKey: string
  readonly args: Table
  /** Local bindings that ask for it. */
  count: number
  isWanted: boolean
  /** As the upstream has it when all that was sent is done. */
  isBound: boolean
}

export class BindingMirror {
  readonly #options: MirrorOptions
  readonly #mirrored = new Map<string, Mirrored>()
  readonly #changed = new Set<Mirrored>()
  #underWay = 0
  #idle: (() => void)[] = []
  #isStopped = false

  constructor(options: MirrorOptions) {
    this.#options = options
  }

  /** Bindings that the upstream has, or is to have. */
  get size(): number {
    return this.#mirrored.size
  }

  add(routingKey: string, args: Table): void {
    const mirroredArgs = this.#argumentsFor(args)
    if (mirroredArgs === null) return
    const key = keyOf(routingKey, args)
    let mirrored = this.#mirrored.get(key)
    if (mirrored === undefined) {
      mirrored = { routingKey, args: mirroredArgs, count: 0, isWanted: false, isBound: false }
      this.#mirrored.set(key, mirrored)
    }
    if (mirrored.count++ > 0) return
    mirrored.isWanted = true
    this.#note(mirrored)
  }

  remove(routingKey: string, args: Table): void {
    const key = keyOf(routingKey, args)
    const mirrored = this.#mirrored.get(key)
    if (mirrored === undefined || --mirrored.count > 0) return
    this.#mirrored.delete(key)
    mirrored.isWanted = false
    this.#note(mirrored)
  }

  /** Resolves when the upstream has all changes so far. */
  settled(): Promise<void> {
    if (this.#isStopped || (this.#underWay === 0 && this.#changed.size === 0))
      return Promise.resolve()
    return new Promise((resolve) => this.#idle.push(resolve))
  }

  stop(): void {
    this.#isStopped = true
    this.#changed.clear()
    this.#wake()
  }

  #note(mirrored: Mirrored): void {
    if (this.#isStopped) return
    this.#changed.add(mirrored)
    this.#send()
  }

  #send(): void {
    for (const mirrored of this.#changed) {
      if (this.#underWay >= UNDER_WAY_MAX) return
      this.#changed.delete(mirrored)
      if (mirrored.isWanted === mirrored.isBound) continue
      mirrored.isBound = mirrored.isWanted
      void this.#command(mirrored)
    }
    if (this.#underWay === 0) this.#wake()
  }

  async #command({ routingKey, args, isBound }: Mirrored): Promise<void> {
    const { bind, unbind, onError } = this.#options
    this.#underWay++
    try {
      await (isBound ? bind(routingKey, args) : unbind(routingKey, args))
    } catch (error) {
      if (!this.#isStopped) onError(error)
    }
    this.#underWay--
    if (!this.#isStopped) this.#send()
  }

  #wake(): void {
    for (const resolve of this.#idle.splice(0)) resolve()
  }

  /** With the note of this link; null if the binding goes no further. */
  #argumentsFor(args: Table): Table | null {
    const { hopsMax, upstreamCluster, upstreamVhost } = this.#options
    const value = args.get(BOUND_FROM)
    const origins = value !== undefined && isArray(value) ? value : []
    if (origins.length > 0 && hasSeen(origins, upstreamCluster, upstreamVhost)) return null
    const hops = origins.length === 0 ? hopsMax : Math.min(hopsOf(origins[0]) - 1, hopsMax)
    if (hops <= 0) return null
    const { clusterName, vhost, exchange } = this.#options
    const origin = new Map<string, FieldValue>([
      ["cluster-name", clusterName],
      ["vhost", vhost],
      ["exchange", exchange],
      ["hops", new TypedNumber("s", hops)],
    ])
    return new Map<string, FieldValue>([...args, [BOUND_FROM, [origin, ...origins]]])
  }
}

function hopsOf(origin: FieldValue | undefined): number {
  const hops = origin !== undefined && isTable(origin) ? numberOf(origin.get("hops")) : null
  return typeof hops === "number" && Number.isInteger(hops) ? hops : 0
}

function keyOf(routingKey: string, args: Table): string {
  return `${String(routingKey.length)}:${routingKey}${tableKey(args)}`
}
