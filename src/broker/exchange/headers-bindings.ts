import type { BasicProperties } from "../../amqp/properties.ts"
import { EMPTY_TABLE, type FieldValue, type Table } from "../../amqp/table.ts"
import { assert } from "../../util/assert.ts"
import { RegisteredBindings, type BoundVisitor } from "./binding-table.ts"
import { CountedDestinationSet } from "./destination-set.ts"
import type { Destination, RouteTargets } from "./destination.ts"
import { HeaderRule, type HeaderCondition } from "./header-rule.ts"
import { fieldKey } from "./table-key.ts"

/**
 * Headers exchange: a message follows the bindings whose rule (header-rule.ts) its headers satisfy.
 * The routing key only tells bindings apart.
 *
 * Rules are found through their conditions, so that a message costs as much as it has headers and
 * candidates, not as much as there are bindings: an `any` rule is kept under each of its conditions,
 * an `all` rule under the one that fewest rules share.
 */
export class HeadersBindings extends RegisteredBindings {
  /** Rules without conditions that match everything. */
  readonly #always = new CountedDestinationSet()
  readonly #byName = new Map<string, NameIndex>()

  override get usesProperties(): boolean {
    return this.#byName.size > 0
  }

  override get usesOneKey(): boolean {
    return true
  }

  override add(destination: Destination, routingKey: string, args: Table): boolean {
    const rule = new HeaderRule(destination, args)
    const before = this.register.size
    this.register.add(destination, routingKey, args)
    if (this.register.size === before) return false
    const binding = this.register.find(destination, routingKey, args)
    if (binding !== null) binding.rule = rule
    this.#addRule(rule)
    return true
  }

  override remove(destination: Destination, routingKey: string, args: Table): boolean {
    const rule = this.register.find(destination, routingKey, args)?.rule
    const before = this.register.size
    this.register.remove(destination, routingKey, args)
    if (this.register.size === before) return false
    this.#removeRule(rule ?? new HeaderRule(destination, EMPTY_TABLE))
    return true
  }

  override removeDestination(destination: Destination, onRemoved: BoundVisitor): void {
    const bound = this.register.take(destination)
    if (bound === null) return
    bound.forEachPlain(() => this.#always.remove(destination))
    bound.forEachArgumented((_routingKey, binding) => {
      assert(binding.rule !== null, "a binding with arguments has a rule")
      this.#removeRule(binding.rule)
    })
    bound.forEach(onRemoved)
  }

  match(_routingKey: string, properties: BasicProperties | null, targets: RouteTargets): void {
    this.#always.addTo(targets)
    const headers = properties?.headers
    if (headers === undefined || this.#byName.size === 0) return
    for (const [name, value] of headers) {
      const index = this.#byName.get(name)
      if (index === undefined) continue
      addMatching(index.present, headers, targets)
      if (index.byValue.size > 0) addMatching(index.byValue.get(fieldKey(value)), headers, targets)
    }
  }

  protected link(): void {}
  protected unlink(): void {}

  #addRule(rule: HeaderRule): void {
    if (rule.conditions.length === 0) {
      if (!rule.isAny) this.#always.add(rule.destination)
      return
    }
    rule.anchors = rule.isAny ? rule.conditions : [this.#rarest(rule.conditions)]
    for (const { name, value } of rule.anchors) {
      let index = this.#byName.get(name)
      if (index === undefined) this.#byName.set(name, (index = new NameIndex()))
      index.rulesFor(value).add(rule)
    }
  }

  #removeRule(rule: HeaderRule): void {
    if (rule.conditions.length === 0) {
      if (!rule.isAny) this.#always.remove(rule.destination)
      return
    }
    for (const { name, value } of rule.anchors) {
      const index = this.#byName.get(name)
      assert(index !== undefined, "an anchored rule is in the index")
      index.remove(value, rule)
      if (index.isEmpty) this.#byName.delete(name)
    }
  }

  #rarest(conditions: readonly HeaderCondition[]): HeaderCondition {
    let best = conditions[0]
    let bestCount = Infinity
    for (const condition of conditions) {
      const count = this.#byName.get(condition.name)?.countFor(condition.value) ?? 0
      // Presence says little about a message, so a value is the better anchor.
      const cost = condition.value === null ? count + 1_000_000 : count
      if (cost >= bestCount) continue
      best = condition
      bestCount = cost
    }
    assert(best !== undefined, "there is at least one condition")
    return best
  }
}

/** The rules kept under conditions on one header. */
class NameIndex {
  readonly present = new Set<HeaderRule>()
  readonly byValue = new Map<string, Set<HeaderRule>>()

  get isEmpty(): boolean {
    return this.present.size === 0 && this.byValue.size === 0
  }

  countFor(value: FieldValue): number {
    if (value === null) return this.present.size
    return this.byValue.get(fieldKey(value))?.size ?? 0
  }

  rulesFor(value: FieldValue): Set<HeaderRule> {
    if (value === null) return this.present
    const key = fieldKey(value)
    let rules = this.byValue.get(key)
    if (rules === undefined) this.byValue.set(key, (rules = new Set()))
    return rules
  }

  remove(value: FieldValue, rule: HeaderRule): void {
    const rules = this.rulesFor(value)
    rules.delete(rule)
    if (value !== null && rules.size === 0) this.byValue.delete(fieldKey(value))
  }
}

function addMatching(
  rules: ReadonlySet<HeaderRule> | undefined,
  headers: Table,
  targets: RouteTargets,
): void {
  if (rules === undefined) return
  for (const rule of rules) if (rule.matches(headers)) targets.add(rule.destination)
}
