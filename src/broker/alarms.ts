/**
 * What the broker runs short of. While there is one alarm, publishes are refused or held up
 * (session/channel.ts); what that means for clients is docs/alarms.md. Who raises them is the composition root.
 */
export type AlarmResource = "disk" | "memory"

/** The order in which RabbitMQ names them. */
const RESOURCES: readonly AlarmResource[] = ["memory", "disk"]

export class Alarms {
  readonly #raised = new Set<AlarmResource>()

  has(resource: AlarmResource): boolean {
    return this.#raised.has(resource)
  }

  /** In a fixed order. */
  get raised(): readonly AlarmResource[] {
    return RESOURCES.filter((resource) => this.#raised.has(resource))
  }

  /** As in connection.blocked: `low on memory & disk`; null if there is no alarm. */
  get reason(): string | null {
    return this.#raised.size === 0 ? null : `low on ${this.raised.join(" & ")}`
  }

  /** False if it was so already. */
  set(resource: AlarmResource, isRaised: boolean): boolean {
    if (this.#raised.has(resource) === isRaised) return false
    if (isRaised) this.#raised.add(resource)
    else this.#raised.delete(resource)
    return true
  }
}
