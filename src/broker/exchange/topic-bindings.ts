import type { BasicProperties } from "../../amqp/properties.ts"
import { assert } from "../../util/assert.ts"
import { RegisteredBindings } from "./binding-table.ts"
import { addSlotTo, slotWith, slotWithout, type Slot } from "./destination-set.ts"
import type { Destination, RouteTargets } from "./destination.ts"

/**
 * Topic exchange: keys are words between dots, `*` in a pattern stands for exactly one word (which
 * may be empty), `#` for any number of words. The empty key has no words at all, as in RabbitMQ.
 *
 * The patterns form one tree of words. A key is matched by walking all branches at once, word by
 * word, as a set of nodes in which each node occurs once:
 *
 *   a.#.b , a.*      root ─ a ┬ # ─ b        a.x.b   {a, #}  →x→  {#, *}  →b→  {#, b}
 *                             └ *                    (entering a enters its # too: zero words)
 *
 * So the work is at most words × nodes, also for patterns full of `#`, where backtracking takes
 * exponential time.
 */
export class TopicBindings extends RegisteredBindings {
  readonly #root = new TopicNode(null, "")
  #active: TopicNode[] = []
  #next: TopicNode[] = []
  #nextCount = 0
  /** Number of the current step over all keys; a node that carries it is in the set already. */
  #step = 0
  /** Nodes of the tree without its root; 0 again when nothing is bound. */
  nodeCount = 0

  match(routingKey: string, _properties: BasicProperties | null, targets: RouteTargets): void {
    this.#beginStep()
    this.#enter(this.#root)
    let count = this.#endStep()
    let start = routingKey === "" ? -1 : 0
    while (start >= 0 && count > 0) {
      const dot = routingKey.indexOf(".", start)
      this.#beginStep()
      this.#consume(dot < 0 ? routingKey.slice(start) : routingKey.slice(start, dot), count)
      count = this.#endStep()
      start = dot < 0 ? -1 : dot + 1
    }
    for (let i = 0; i < count; i++) {
      const slot = this.#active[i]!.slot // Index is below the count.
      if (slot !== null) addSlotTo(slot, targets)
    }
  }

  protected link(destination: Destination, pattern: string): void {
    let node = this.#root
    if (pattern !== "")
      for (const word of pattern.split(".")) node = node.anyChild(word) ?? this.#grow(node, word)
    node.slot = slotWith(node.slot, destination)
  }

  protected unlink(destination: Destination, pattern: string): void {
    let node: TopicNode | null = this.#root
    if (pattern !== "")
      for (const word of pattern.split(".")) {
        node = node.anyChild(word)
        assert(node !== null, "a bound pattern must be in the tree")
      }
    node.slot = slotWithout(node.slot, destination)
    // Cut the branch back to the last node that still leads somewhere.
    while (node.parent !== null && node.isBare) {
      node.parent.removeChild(node)
      node = node.parent
      this.nodeCount--
    }
  }

  #grow(parent: TopicNode, word: string): TopicNode {
    this.nodeCount++
    return parent.addChild(word)
  }

  #consume(word: string, activeCount: number): void {
    for (let i = 0; i < activeCount; i++) {
      const node = this.#active[i]! // Index is below the count.
      const child = node.literalChild(word)
      if (child !== null) this.#enter(child)
      if (node.star !== null) this.#enter(node.star)
      if (node.isHash) this.#enter(node)
    }
  }

  #enter(node: TopicNode): void {
    for (let at: TopicNode | null = node; at !== null; at = at.hash) {
      if (at.step === this.#step) return // Then its chain of # is in the set as well.
      at.step = this.#step
      this.#next[this.#nextCount++] = at
    }
  }

  #beginStep(): void {
    this.#step++
    this.#nextCount = 0
  }

  #endStep(): number {
    const active = this.#active
    this.#active = this.#next
    this.#next = active
    return this.#nextCount
  }
}

/** One word of a pattern at one place in the tree. */
class TopicNode {
  readonly parent: TopicNode | null
  readonly word: string
  readonly isHash: boolean
  /** Destinations of the patterns that end here. */
  slot: Slot | null = null
  star: TopicNode | null = null
  hash: TopicNode | null = null
  /** Literal children: the node itself while there is one (a Map takes 200 bytes), else by word. */
  #children: TopicNode | Map<string, TopicNode> | null = null
  step = 0

  constructor(parent: TopicNode | null, word: string) {
    this.parent = parent
    this.word = word
    this.isHash = word === "#"
  }

  get isBare(): boolean {
    return this.slot === null && this.star === null && this.hash === null && this.#children === null
  }

  /** The child for a word of a message's key, in which wildcards mean nothing. */
  literalChild(word: string): TopicNode | null {
    const children = this.#children
    if (children === null) return null
    if (children instanceof TopicNode) return children.word === word ? children : null
    return children.get(word) ?? null
  }

  /** The child for a word of a pattern. */
  anyChild(word: string): TopicNode | null {
    if (word === "*") return this.star
    if (word === "#") return this.hash
    return this.literalChild(word)
  }

  /** There must be no child for this word yet. */
  addChild(word: string): TopicNode {
    const child = new TopicNode(this, word)
    if (word === "*") this.star = child
    else if (word === "#") this.hash = child
    else if (this.#children === null) this.#children = child
    else if (this.#children instanceof TopicNode)
      this.#children = new Map([
        [this.#children.word, this.#children],
        [word, child],
      ])
    else this.#children.set(word, child)
    return child
  }

  removeChild(child: TopicNode): void {
    if (child === this.star) this.star = null
    else if (child === this.hash) this.hash = null
    else if (child === this.#children) this.#children = null
    else {
      assert(this.#children instanceof Map, "only a child can be removed")
      this.#children.delete(child.word)
      if (this.#children.size === 0) this.#children = null
    }
  }
}
