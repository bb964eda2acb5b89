import type { BasicProperties } from "../../amqp/properties.ts"
import { EMPTY_TABLE } from "../../amqp/table.ts"
import type { Table } from "../../amqp/table.ts"
import { Refusal } from "../errors.ts"
import { queueTypeOf } from "../queue-type.ts"
import { RegisteredBindings } from "./binding-table.ts"
import { DESTINATION_QUEUE } from "./destination.ts"
import type { Destination, RouteTargets } from "./destination.ts"
import { hashText } from "./hash.ts"

/**
 * Exchanges that give each message to one of their destinations: at random (x-random, x-local-random), or by
 * a hash of the routing key modulo their number (x-modulus-hash). The consistent hash is hash-bindings.ts.
 *
 * Destinations count once, whatever the number of their bindings, and have an order that does not
 * depend on when they were bound, so that a restart changes nothing.
 */
export abstract class ChoiceBindings extends RegisteredBindings {
  /** Routing keys by destination, oldest first. */
  protected readonly bound = new Map<Destination, Set<string>>()
  #sorted: Destination[] | null = null

  override get usesOneKey(): boolean {
    return true
  }

  /** Sorted by kind and name. */
  protected get destinations(): readonly Destination[] {
    this.#sorted ??= [...this.bound.keys()].toSorted(compare)
    return this.#sorted
  }

  protected link(destination: Destination, routingKey: string): void {
    const keys = this.bound.get(destination)
    if (keys === undefined) this.bound.set(destination, new Set([routingKey]))
    else keys.add(routingKey)
    this.changed()
  }

  protected unlink(destination: Destination, routingKey: string): void {
    const keys = this.bound.get(destination)
    keys?.delete(routingKey)
    if (keys?.size === 0) this.bound.delete(destination)
    this.changed()
  }

  protected changed(): void {
    this.#sorted = null
  }
}

export class ModulusBindings extends ChoiceBindings {
  match(routingKey: string, _properties: BasicProperties | null, targets: RouteTargets): void {
    const { destinations } = this
    const count = destinations.length
    if (count > 0) targets.add(destinations[hashText(routingKey) % count]!) // In range.
  }
}

export class RandomBindings extends ChoiceBindings {
  /** Of a xorshift generator. Chance of this kind needs no secret, and a test gets the same each time. */
  #state = 0x2545_f491

  /** No route may be kept. */
  override get usesProperties(): boolean {
    return true
  }

  match(_routingKey: string, _properties: BasicProperties | null, targets: RouteTargets): void {
    const { destinations } = this
    const count = destinations.length
    if (count === 0) return
    let state = this.#state
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    this.#state = state
    targets.add(destinations[(state >>> 1) % count]!) // In range.
  }
}

/**
 * As x-random, for replies that should not leave the node they came to: classic queues only, and no binding
 * keys. There is one node here, so every queue is local.
 */
export class LocalRandomBindings extends RandomBindings {
  /** Throws Refusal with RabbitMQ's texts. */
  override add(destination: Destination, routingKey: string, args: Table): boolean {
    if (routingKey !== "")
      throw new Refusal(
        "precondition-failed",
        `Non empty binding '${routingKey}' key not permitted`,
      )
    if (destination.kind !== DESTINATION_QUEUE)
      throw new Refusal("precondition-failed", "Destination not found")
    const type = queueTypeOf(destination.arguments ?? EMPTY_TABLE)
    if (type !== "classic")
      throw new Refusal(
        "precondition-failed",
        `Queue type rabbit_${type}_queue not valid for this exchange type`,
      )
    return super.add(destination, routingKey, args)
  }
}

function compare(a: Destination, b: Destination): number {
  if (a.kind !== b.kind) return a.kind - b.kind
  return a.name < b.name ? -1 : Number(a.name > b.name)
}
