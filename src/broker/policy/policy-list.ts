import type { JsonDocument } from "../../auth/users.ts"
import type { Clock } from "../../util/clock.ts"
import type { Logger } from "../../util/logger.ts"
import { Refusal, savedInForce } from "../errors.ts"
import type { QueueType } from "../queue-type.ts"
import type { Definition } from "./definition.ts"
import { PolicyPattern } from "./policy-pattern.ts"
import { definitionError, obsoleteKeys } from "./rules.ts"

/**
 * The policies, or the operator policies, of one vhost: checked, ordered, and kept in a file of LavinMQ's
 * format:
 *
 *   [{"name":"ttl","vhost":"/","pattern":"^tmp\\.","apply-to":"queues","priority":1,
 *     "definition":{"message-ttl":60000}}]
 *
 * One policy counts for a queue or exchange: the one of the highest priority that matches; of several,
 * the first by name. What it does to them is effective-settings.ts.
 */
export const APPLY_TO = [
  "all",
  "queues",
  "classic_queues",
  "quorum_queues",
  "streams",
  "exchanges",
] as const
export type ApplyTo = (typeof APPLY_TO)[number]

/** What a policy can apply to. */
export type PolicySubject = QueueType | "exchange"

export interface Policy {
  readonly name: string
  readonly pattern: PolicyPattern
  readonly applyTo: ApplyTo
  readonly priority: number
  readonly definition: Definition
}

/** As it came, from HTTP or a definitions file: nothing of it is checked yet. */
export interface PolicyRequest {
  readonly pattern: unknown
  readonly definition: unknown
  /** Default all. */
  readonly applyTo?: unknown
  /** Default 0. */
  readonly priority?: unknown
}

export interface PolicyListOptions {
  readonly vhostName: string
  readonly isOperator: boolean
  readonly document: JsonDocument
  readonly clock: Clock
  readonly log: Logger
  /** Called after every change, before it is on disk; resolves when all queues and exchanges have it. */
  readonly onChanged: () => Promise<void>
}

const NAME_SIZE_MAX = 255

const SUBJECTS: Readonly<Record<ApplyTo, readonly PolicySubject[]>> = {
  all: ["classic", "quorum", "stream", "exchange"],
  queues: ["classic", "quorum", "stream"],
  classic_queues: ["classic"],
  quorum_queues: ["quorum"],
  streams: ["stream"],
  exchanges: ["exchange"],
}

export class PolicyList {
  readonly #options: PolicyListOptions
  readonly #policies = new Map<string, Policy>()
  /** Entries of the file that cannot be used; they stay in it. */
  #unusable: unknown[] = []
  /** In the order in which they are tried. */
  #ordered: Policy[] = []

  constructor(options: PolicyListOptions) {
    this.#options = options
  }

  /**
   * Reads the file. Known keys with values that make no sense, and unknown keys, stay and are ignored one by
   * one; an entry that cannot be used at all is reported and does nothing.
   */
  load(): void {
    const { document, log, vhostName } = this.#options
    this.#policies.clear()
    this.#unusable = []
    const stored = document.load()
    for (const entry of Array.isArray(stored) ? stored : []) {
      const fields = fieldsOf(entry)
      try {
        const policy = this.#parse(fields.get("name"), storedRequest(fields))
        this.#policies.set(policy.name, policy)
      } catch (error) {
        if (!(error instanceof Refusal)) throw error
        this.#unusable.push(entry)
        log.error({ vhost: vhostName, entry, reason: error.message }, "a stored policy is ignored")
      }
    }
    this.#order()
  }

  /** In the order of creation. */
  list(): Policy[] {
    return [...this.#policies.values()]
  }

  get size(): number {
    return this.#policies.size
  }

  get(name: string): Policy | null {
    return this.#policies.get(name) ?? null
  }

  /**
   * Creates or replaces; true if it is new. In force at once, also if the disk refuses it; resolves when
   * it is on disk and every queue and exchange has it. Throws Refusal (RabbitMQ's words) and changes
   * nothing if it cannot be accepted.
   */
  async set(name: string, request: PolicyRequest): Promise<boolean> {
    const policy = this.#parse(name, request)
    const { isOperator, log, vhostName } = this.#options
    const error = definitionError(policy.definition, isOperator)
    if (error !== null) throw new Refusal("precondition-failed", error)
    const obsolete = obsoleteKeys(policy.definition.keys())
    if (obsolete.length > 0)
      log.warn({ vhost: vhostName, policy: name, keys: obsolete }, "policy keys without effect")
    const isNew = !this.#policies.has(name)
    this.#policies.set(name, policy)
    log.info({ vhost: vhostName, policy: name, isOperator, pattern: request.pattern }, "policy set")
    await this.#changed()
    return isNew
  }

  /** False if there is none. Resolves when that is on disk and its effect has ended everywhere. */
  async delete(name: string): Promise<boolean> {
    if (!this.#policies.delete(name)) return false
    const { isOperator, log, vhostName } = this.#options
    log.info({ vhost: vhostName, policy: name, isOperator }, "policy deleted")
    await this.#changed()
    return true
  }

  /** The policy that counts for the queue or exchange, or null. */
  match(subject: PolicySubject, name: string): Policy | null {
    for (const policy of this.#ordered)
      if (SUBJECTS[policy.applyTo].includes(subject) && policy.pattern.test(name)) return policy
    return null
  }

  async #changed(): Promise<void> {
    this.#order()
    const applied = this.#options.onChanged()
    const saving = this.#options.document.save([
      ...this.list().map((policy) => formatPolicy(policy, this.#options.vhostName)),
      ...this.#unusable,
    ])
    await savedInForce(saving)
    await applied
  }

  #order(): void {
    this.#ordered = this.list().toSorted(
      (a, b) => b.priority - a.priority || (a.name < b.name ? -1 : 1),
    )
  }

  #givenUp(policy: string, pattern: string): void {
    const { log, vhostName: vhost } = this.#options
    log.error(
      { vhost, policy, pattern },
      "a policy's pattern takes too long: it matches nothing now",
    )
  }

  /** Everything but the content of the definition. */
  #parse(name: unknown, request: PolicyRequest): Policy {
    const { pattern, definition, applyTo = "all", priority = 0 } = request
    if (typeof name !== "string" || name === "" || Buffer.byteLength(name) > NAME_SIZE_MAX)
      throw refused(`a policy name must have 1 to ${NAME_SIZE_MAX} bytes`)
    if (typeof pattern !== "string") throw refused("pattern should be a regular expression")
    const target = APPLY_TO.find((known) => known === applyTo)
    if (target === undefined) throw refused(`apply-to should be one of ${APPLY_TO.join(", ")}`)
    if (typeof priority !== "number" || !Number.isSafeInteger(priority))
      throw refused("priority should be an integer")
    if (!isRecord(definition)) throw refused("definition should be an object")
    return {
      name,
      pattern: new PolicyPattern(pattern, this.#options.clock, () => this.#givenUp(name, pattern)),
      applyTo: target,
      priority,
      definition: fieldsOf(JSON.parse(JSON.stringify(definition))),
    }
  }
}

/** As in the file, and as the HTTP API shows it. */
export function formatPolicy(policy: Policy, vhostName: string): Record<string, unknown> {
  return {
    name: policy.name,
    vhost: vhostName,
    pattern: policy.pattern.source,
    "apply-to": policy.applyTo,
    priority: policy.priority,
    definition: Object.fromEntries(policy.definition),
  }
}

/** Nothing may keep a stored policy from loading that it can do without. */
function storedRequest(fields: ReadonlyMap<string, unknown>): PolicyRequest {
  return {
    pattern: fields.get("pattern"),
    definition: fields.get("definition"),
    applyTo: fields.get("apply-to") ?? undefined,
    priority: fields.get("priority") ?? undefined,
  }
}

function refused(message: string): Refusal {
  return new Refusal("precondition-failed", message)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}

function fieldsOf(value: unknown): ReadonlyMap<string, unknown> {
  return new Map(isRecord(value) ? Object.entries(value) : [])
}
