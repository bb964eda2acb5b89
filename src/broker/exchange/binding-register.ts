import { EMPTY_TABLE, type Table } from "../../amqp/table.ts"
import type { BindingVisitor, BoundVisitor } from "./binding-table.ts"
import { DESTINATION_EXCHANGE, type Destination } from "./destination.ts"
import type { HeaderRule } from "./header-rule.ts"
import { tableKey } from "./table-key.ts"

/**
 * Which bindings an exchange has, by destination. Knows nothing of routing.
 *
 * The usual binding has no arguments and is its destination's only one: it costs one map entry whose
 * value is the routing key string itself. Everything else goes into Bound. All operations take
 * constant time, whether one queue has 100,000 keys or one key has 100,000 queues.
 */
export class BindingRegister {
  readonly #byDestination = new Map<Destination, string | Bound>()
  readonly #exchanges = new Set<Destination>()
  #size = 0

  get size(): number {
    return this.#size
  }

  /** The destinations that are exchanges. */
  get exchanges(): ReadonlySet<Destination> {
    return this.#exchanges
  }

  has(destination: Destination): boolean {
    return this.#byDestination.has(destination)
  }

  /** True if this is the first binding of that destination with that routing key. */
  add(destination: Destination, routingKey: string, args: Table): boolean {
    const key = tableKey(args)
    const current = this.#byDestination.get(destination)
    if (current === undefined && destination.kind === DESTINATION_EXCHANGE)
      this.#exchanges.add(destination)
    if (current === undefined && key === "") {
      this.#byDestination.set(destination, routingKey)
      this.#size++
      return true
    }
    if (current === routingKey && key === "") return false
    const bound = this.#expand(destination, current)
    const isNewPair = !bound.hasKey(routingKey)
    if (bound.add(routingKey, key, args)) this.#size++
    return isNewPair
  }

  /** True if this was the last binding of that destination with that routing key. */
  remove(destination: Destination, routingKey: string, args: Table): boolean {
    const key = tableKey(args)
    const current = this.#byDestination.get(destination)
    if (current === undefined) return false
    if (typeof current === "string") {
      if (current !== routingKey || key !== "") return false
      this.#delete(destination)
      this.#size--
      return true
    }
    if (!current.remove(routingKey, key)) return false
    this.#size--
    if (current.size === 0) this.#delete(destination)
    return !current.hasKey(routingKey)
  }

  /** The binding with exactly these arguments, if it is there and they are not empty. */
  find(destination: Destination, routingKey: string, args: Table): ArgumentedBinding | null {
    const current = this.#byDestination.get(destination)
    if (current === undefined || typeof current === "string") return null
    return current.find(routingKey, tableKey(args))
  }

  /** Removes a destination with all its bindings and hands them over. */
  take(destination: Destination): Bound | null {
    const current = this.#byDestination.get(destination)
    if (current === undefined) return null
    const bound = this.#expand(destination, current)
    this.#delete(destination)
    this.#size -= bound.size
    return bound
  }

  forEach(visit: BindingVisitor): void {
    for (const destination of this.#byDestination.keys())
      this.forEachOf(destination, (routingKey, args) => visit(destination, routingKey, args))
  }

  forEachOf(destination: Destination, visit: BoundVisitor): void {
    const current = this.#byDestination.get(destination)
    if (typeof current === "string") visit(current, EMPTY_TABLE)
    else current?.forEach(visit)
  }

  #delete(destination: Destination): void {
    this.#byDestination.delete(destination)
    this.#exchanges.delete(destination)
  }

  #expand(destination: Destination, current: string | Bound | undefined): Bound {
    if (current instanceof Bound) return current
    const bound = new Bound()
    if (current !== undefined) bound.add(current, "", EMPTY_TABLE)
    this.#byDestination.set(destination, bound)
    return bound
  }
}

/** A binding whose arguments are not empty. */
export class ArgumentedBinding {
  readonly args: Table
  /** What the arguments ask of a message; headers exchanges only. */
  rule: HeaderRule | null = null

  constructor(args: Table) {
    this.args = args
  }
}

/** The bindings of one destination. */
export class Bound {
  /** Keys bound without arguments. */
  readonly #plain = new Set<string>()
  /** Routing key, then key of the arguments. Null until there is one: few bindings have any. */
  #argumented: Map<string, Map<string, ArgumentedBinding>> | null = null
  size = 0

  hasKey(routingKey: string): boolean {
    return this.#plain.has(routingKey) || (this.#argumented?.has(routingKey) ?? false)
  }

  find(routingKey: string, argumentsKey: string): ArgumentedBinding | null {
    return this.#argumented?.get(routingKey)?.get(argumentsKey) ?? null
  }

  add(routingKey: string, argumentsKey: string, args: Table): boolean {
    if (argumentsKey === "") {
      if (this.#plain.has(routingKey)) return false
      this.#plain.add(routingKey)
    } else {
      this.#argumented ??= new Map()
      let sameKey = this.#argumented.get(routingKey)
      if (sameKey === undefined) this.#argumented.set(routingKey, (sameKey = new Map()))
      if (sameKey.has(argumentsKey)) return false
      sameKey.set(argumentsKey, new ArgumentedBinding(args))
    }
    this.size++
    return true
  }

  remove(routingKey: string, argumentsKey: string): boolean {
    if (argumentsKey === "") {
      if (!this.#plain.delete(routingKey)) return false
    } else {
      const sameKey = this.#argumented?.get(routingKey)
      if (sameKey === undefined || !sameKey.delete(argumentsKey)) return false
      if (sameKey.size === 0) this.#argumented?.delete(routingKey)
    }
    this.size--
    return true
  }

  /** Every routing key once, however many bindings have it. */
  forEachKey(visit: (routingKey: string) => void): void {
    for (const routingKey of this.#plain) visit(routingKey)
    if (this.#argumented === null) return
    for (const routingKey of this.#argumented.keys())
      if (!this.#plain.has(routingKey)) visit(routingKey)
  }

  forEach(visit: BoundVisitor): void {
    for (const routingKey of this.#plain) visit(routingKey, EMPTY_TABLE)
    this.forEachArgumented((routingKey, binding) => visit(routingKey, binding.args))
  }

  forEachPlain(visit: (routingKey: string) => void): void {
    for (const routingKey of this.#plain) visit(routingKey)
  }

  forEachArgumented(visit: (routingKey: string, binding: ArgumentedBinding) => void): void {
    if (this.#argumented === null) return
    for (const [routingKey, sameKey] of this.#argumented)
      for (const binding of sameKey.values()) visit(routingKey, binding)
  }
}
