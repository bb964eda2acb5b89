import type { BasicProperties } from "../../amqp/properties.ts"
import type { Table } from "../../amqp/table.ts"
import type { BindingRegister } from "./binding-register.ts"
import type { Destination, RouteTargets } from "./destination.ts"

/**
 * The bindings of one exchange: which there are, and which of them a message follows. Each exchange
 * type has its own table for the second part; the first part is the same for all (BindingRegister).
 */
export interface BindingTable {
  /** The result of match() depends on more than the routing key, so it cannot be cached by it. */
  readonly usesProperties: boolean
  /** Of several routing keys of a message the first says it all: match() is called for that one. */
  readonly usesOneKey: boolean
  readonly size: number
  /** The destinations that are exchanges. */
  readonly exchanges: ReadonlySet<Destination>
  /**
   * False if this very binding (destination, routing key, arguments by value) was there already.
   * Throws Refusal for arguments that the type does not accept. Keeps `args`: do not change it later.
   */
  add(destination: Destination, routingKey: string, args: Table): boolean
  /** False if there was none. */
  remove(destination: Destination, routingKey: string, args: Table): boolean
  /** Removes all bindings to a destination, then calls back for each. */
  removeDestination(destination: Destination, onRemoved: BoundVisitor): void
  hasDestination(destination: Destination): boolean
  /** Adds the destinations of a message to `targets`, possibly one of them several times. */
  match(routingKey: string, properties: BasicProperties | null, targets: RouteTargets): void
  /** The visitor must not change the table. */
  forEach(visit: BindingVisitor): void
  forEachOf(destination: Destination, visit: BoundVisitor): void
}

export type BoundVisitor = (routingKey: string, args: Table) => void
export type BindingVisitor = (destination: Destination, routingKey: string, args: Table) => void

/** The part that does not depend on the type: subclasses say how pairs are indexed and matched. */
export abstract class RegisteredBindings implements BindingTable {
  protected readonly register: BindingRegister

  constructor(register: BindingRegister) {
    this.register = register
  }

  get usesProperties(): boolean {
    return false
  }

  get usesOneKey(): boolean {
    return false
  }

  get size(): number {
    return this.register.size
  }

  get exchanges(): ReadonlySet<Destination> {
    return this.register.exchanges
  }

  add(destination: Destination, routingKey: string, args: Table): boolean {
    const before = this.register.size
    if (this.register.add(destination, routingKey, args)) this.link(destination, routingKey)
    return this.register.size !== before
  }

  remove(destination: Destination, routingKey: string, args: Table): boolean {
    const before = this.register.size
    if (this.register.remove(destination, routingKey, args)) this.unlink(destination, routingKey)
    return this.register.size !== before
  }

  removeDestination(destination: Destination, onRemoved: BoundVisitor): void {
    const bound = this.register.take(destination)
    if (bound === null) return
    bound.forEachKey((routingKey) => this.unlink(destination, routingKey))
    bound.forEach(onRemoved)
  }

  hasDestination(destination: Destination): boolean {
    return this.register.has(destination)
  }

  forEach(visit: BindingVisitor): void {
    this.register.forEach(visit)
  }

  forEachOf(destination: Destination, visit: BoundVisitor): void {
    this.register.forEachOf(destination, visit)
  }

  abstract match(
    routingKey: string,
    properties: BasicProperties | null,
    targets: RouteTargets,
  ): void

  /** The pair of destination and routing key got its first binding. */
  protected abstract link(destination: Destination, routingKey: string): void
  /** The pair lost its last binding. */
  protected abstract unlink(destination: Destination, routingKey: string): void
}
