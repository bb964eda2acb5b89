import type { BasicProperties } from "../../amqp/properties.ts"
import { RegisteredBindings } from "./binding-table.ts"
import { addSlotTo, slotWith, slotWithout, type Slot } from "./destination-set.ts"
import type { Destination, RouteTargets } from "./destination.ts"

/** Direct exchange: a message follows the bindings whose routing key equals its own. */
export class DirectBindings extends RegisteredBindings {
  readonly #slots = new Map<string, Slot>()

  match(routingKey: string, _properties: BasicProperties | null, targets: RouteTargets): void {
    const slot = this.#slots.get(routingKey)
    if (slot !== undefined) addSlotTo(slot, targets)
  }

  protected link(destination: Destination, routingKey: string): void {
    this.#slots.set(routingKey, slotWith(this.#slots.get(routingKey), destination))
  }

  protected unlink(destination: Destination, routingKey: string): void {
    const rest = slotWithout(this.#slots.get(routingKey), destination)
    if (rest === null) this.#slots.delete(routingKey)
    else this.#slots.set(routingKey, rest)
  }
}
