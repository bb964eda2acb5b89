import type { BasicProperties } from "../../amqp/properties.ts"
import { RegisteredBindings } from "./binding-table.ts"
import { CountedDestinationSet } from "./destination-set.ts"
import type { Destination, RouteTargets } from "./destination.ts"

/** Fanout exchange: a message follows every binding. Keys and arguments only tell bindings apart. */
export class FanoutBindings extends RegisteredBindings {
  /** One count per bound routing key. */
  readonly #destinations = new CountedDestinationSet()

  override get usesOneKey(): boolean {
    return true
  }

  match(_routingKey: string, _properties: BasicProperties | null, targets: RouteTargets): void {
    this.#destinations.addTo(targets)
  }

  protected link(destination: Destination): void {
    this.#destinations.add(destination)
  }

  protected unlink(destination: Destination): void {
    this.#destinations.remove(destination)
  }
}
