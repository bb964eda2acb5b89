import { EMPTY_TABLE } from "../amqp/table.ts"
import { parseTags } from "../auth/users-file.ts"
import { Refusal } from "../broker/errors.ts"
import { DESTINATION_EXCHANGE, DESTINATION_QUEUE } from "../broker/exchange/destination.ts"
import { RESERVED_PREFIX } from "../broker/exchange/predeclared.ts"
import { GLOBAL_COMPONENT } from "../broker/parameters.ts"
import type { Vhost } from "../broker/vhost.ts"
import type { Api } from "./api.ts"
import { addEntry, noSections } from "./definitions-schema.ts"
import type { Sections } from "./definitions-schema.ts"
import { badRequest } from "./errors.ts"
import { tableFromJson } from "./json-tables.ts"
import { readSections } from "./json-sections.ts"
import { Slices } from "./slices.ts"
import { metadataOf } from "./vhosts.ts"

/**
 * Imports a definitions file, in slices. All entries are checked first, so that a file with a wrong form
 * changes nothing; what the broker then refuses ends the import with what came before it in force.
 *
 * Importing twice is importing once: users, vhosts, permissions, policies and parameters are set; queues
 * and exchanges that exist stay as they are. A binding between things that are not there is passed over,
 * as LavinMQ does, because the file may be a part of a larger one.
 */
export async function importDefinitions(
  api: Api,
  bytes: Buffer,
  onlyVhost: Vhost | null,
): Promise<void> {
  const sections = noSections()
  const slices = new Slices(api.broker.clock)
  await readSections(bytes, slices, (key, entry, index) => addEntry(sections, key, entry, index))
  const importer = new Importer(api, sections, onlyVhost, slices)
  if (onlyVhost === null) await importer.importBroker()
  await importer.importVhosts()
}

/** Component names under which files hold what the broker keeps elsewhere. */
const OPERATOR_POLICY = "operator_policy"
const VHOST_LIMITS = "vhost-limits"
/** Changes of JSON files under way at one time: they are written together. */
const PENDING_MAX = 256

class Importer {
  readonly #api: Api
  readonly #sections: Sections
  readonly #onlyVhost: Vhost | null
  readonly #slices: Slices
  #pending: Promise<unknown>[] = []
  #errors: Error[] = []

  constructor(api: Api, sections: Sections, onlyVhost: Vhost | null, slices: Slices) {
    this.#api = api
    this.#sections = sections
    this.#onlyVhost = onlyVhost
    this.#slices = slices
  }

  async importBroker(): Promise<void> {
    const { administration, broker } = this.#api
    const { users, vhosts, permissions, global_parameters: globals } = this.#sections
    for (const user of users) await this.#begin(this.#user(user))
    await this.#end()
    for (const { metadata, ...vhost } of vhosts)
      await this.#begin(administration.putVhost(vhost.name, metadataOf({ ...vhost, ...metadata })))
    await this.#end()
    for (const { user, vhost, ...sources } of permissions)
      await this.#begin(administration.setPermissions(user, vhost, sources))
    for (const { user, vhost, exchange, ...sources } of this.#sections.topic_permissions)
      await this.#begin(administration.setTopicPermissions(user, vhost, exchange, sources))
    for (const { name, value } of globals)
      await this.#begin(broker.globalParameters.set(GLOBAL_COMPONENT, name, value))
    await this.#end()
  }

  async importVhosts(): Promise<void> {
    for (const parameter of this.#sections.parameters)
      await this.#begin(this.#parameter(this.#vhost(parameter.vhost), parameter))
    for (const policy of this.#sections.policies)
      await this.#begin(
        this.#vhost(policy.vhost).policies.set(policy.name, {
          pattern: policy.pattern,
          definition: policy.definition,
          applyTo: policy["apply-to"],
          priority: policy.priority,
        }),
      )
    await this.#end()
    for (const exchange of this.#sections.exchanges) {
      if (this.#slices.isOver()) await this.#slices.next()
      this.#exchange(this.#vhost(exchange.vhost), exchange)
    }
    for (const queue of this.#sections.queues) {
      if (this.#slices.isOver()) await this.#slices.next()
      this.#queue(this.#vhost(queue.vhost), queue)
    }
    for (const binding of this.#sections.bindings) {
      if (this.#slices.isOver()) await this.#slices.next()
      this.#bind(this.#vhost(binding.vhost), binding)
    }
    await this.#api.broker.durableChanges.settled()
  }

  /** Of an entry; one without a vhost belongs to the first. */
  #vhost(name: string | undefined): Vhost {
    if (this.#onlyVhost !== null) return this.#onlyVhost
    const { vhosts } = this.#api.broker
    const vhost = name === undefined ? [...vhosts.values()][0] : vhosts.get(name)
    if (vhost === undefined) throw badRequest(`no vhost '${name ?? ""}'`)
    return vhost
  }

  /** Collects changes that may be written together. */
  async #begin(change: Promise<unknown>): Promise<void> {
    this.#pending.push(
      change.catch((error: unknown) => {
        this.#errors.push(error instanceof Error ? error : new Error(String(error)))
      }),
    )
    if (this.#pending.length >= PENDING_MAX) await this.#end()
    else if (this.#slices.isOver()) await this.#slices.next()
  }

  async #end(): Promise<void> {
    const pending = this.#pending
    this.#pending = []
    await Promise.all(pending)
    const [error] = this.#errors
    if (error !== undefined) throw error
  }

  async #user(user: Sections["users"][number]): Promise<void> {
    const { administration } = this.#api
    const { name, password_hash: hash, hashing_algorithm: algorithm, tags, limits } = user
    await administration.putUser(name, {
      passwordHash: hash ?? "",
      ...(typeof algorithm === "string" && algorithm !== "" && { hashingAlgorithm: algorithm }),
      ...(tags !== undefined && { tags: parseTags(tags) }),
    })
    if (limits === undefined || Array.isArray(limits)) return
    for (const [limit, value] of Object.entries(limits))
      await administration.setUserLimit(name, limit, value)
  }

  async #parameter(vhost: Vhost, parameter: Sections["parameters"][number]): Promise<void> {
    const { component, name, value } = parameter
    if (component === OPERATOR_POLICY) {
      const fields = fieldsOf(value)
      await vhost.operatorPolicies.set(name, {
        pattern: fields.get("pattern"),
        definition: fields.get("definition"),
        applyTo: fields.get("apply-to") ?? undefined,
        priority: fields.get("priority") ?? undefined,
      })
    } else if (component === VHOST_LIMITS) {
      for (const [limit, number] of fieldsOf(value))
        if (typeof number === "number") await vhost.limits.set(limit, number)
    } else await vhost.parameters.set(component, name, value)
  }

  #exchange(vhost: Vhost, exchange: Sections["exchanges"][number]): void {
    const { name } = exchange
    // Another product's own exchanges are nobody's data.
    if (vhost.exchanges.has(name) || name.startsWith(RESERVED_PREFIX)) return
    explained(`exchange '${name}'`, () =>
      vhost.declareExchange({
        name,
        type: exchange.type,
        passive: false,
        durable: exchange.durable ?? false,
        autoDelete: exchange.auto_delete ?? false,
        internal: exchange.internal ?? false,
        arguments: tableFromJson(exchange.arguments ?? {}),
      }),
    )
  }

  #queue(vhost: Vhost, queue: Sections["queues"][number]): void {
    const { name } = queue
    if (vhost.queues.has(name) || name === "") return
    const isGenerated = name.startsWith(RESERVED_PREFIX)
    explained(`queue '${name}'`, () =>
      vhost.declareQueue(
        {
          name: isGenerated ? "" : name,
          generatedName: name,
          durable: queue.durable ?? false,
          exclusive: false,
          autoDelete: queue.auto_delete ?? false,
          arguments: tableFromJson(queue.arguments ?? {}),
        },
        null,
      ),
    )
  }

  #bind(vhost: Vhost, binding: Sections["bindings"][number]): void {
    const { source, destination, destination_type: type, routing_key: routingKey } = binding
    if (source === "") return // Implicit.
    const isQueue = type === "queue"
    const target = isQueue ? vhost.queues.get(destination) : vhost.exchanges.get(destination)
    if (target === undefined || !vhost.exchanges.has(source)) {
      const { log } = this.#api.broker
      log.warn({ vhost: vhost.name, source, destination }, "a binding of the import has no ends")
      return
    }
    const args = binding.arguments ?? null
    explained(`binding from '${source}' to '${destination}'`, () =>
      vhost.bind(
        {
          source,
          kind: isQueue ? DESTINATION_QUEUE : DESTINATION_EXCHANGE,
          destination,
          routingKey,
          arguments: args === null ? EMPTY_TABLE : tableFromJson(args),
        },
        null,
      ),
    )
  }
}

/** A refusal says of what in the file. */
function explained(subject: string, change: () => unknown): void {
  try {
    change()
  } catch (error) {
    if (error instanceof Refusal) throw new Refusal(error.kind, `${subject}: ${error.message}`)
    throw error
  }
}

function fieldsOf(value: unknown): ReadonlyMap<string, unknown> {
  return new Map(typeof value === "object" && value !== null ? Object.entries(value) : [])
}
