import { EMPTY_TABLE } from "../amqp/table.ts"
import { AuthError } from "../auth/errors.ts"
import { parseTags } from "../auth/users-file.ts"
import { Refusal } from "../broker/errors.ts"
import { DESTINATION_EXCHANGE, DESTINATION_QUEUE } from "../broker/exchange/destination.ts"
import { declareLogExchange, isLogExchange } from "../broker/log-exchanges.ts"
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
export interface ImportOptions {
  /** Everything goes there, whatever vhost the entries name; users and vhosts are passed over. */
  readonly onlyVhost?: Vhost
  /** Users, permissions, parameters and policies that exist stay as they are, too. */
  readonly keepsExisting?: boolean
}

type ImportApi = Pick<Api, "broker" | "administration">

export async function importDefinitions(
  api: ImportApi,
  bytes: Buffer,
  options: ImportOptions = {},
): Promise<void> {
  const sections = noSections()
  const slices = new Slices(api.broker.clock)
  await readSections(bytes, slices, (key, entry, index) => addEntry(sections, key, entry, index))
  const importer = new Importer(api, sections, options, slices)
  if (options.onlyVhost === undefined) await importer.importBroker()
  await importer.importVhosts()
}

/** Component names under which files hold what the broker keeps elsewhere. */
const OPERATOR_POLICY = "operator_policy"
const VHOST_LIMITS = "vhost-limits"
/** Changes of JSON files under way at one time: they are written together. */
const PENDING_MAX = 256

class Importer {
  readonly #api: ImportApi
  readonly #sections: Sections
  readonly #onlyVhost: Vhost | null
  readonly #keepsExisting: boolean
  readonly #slices: Slices
  #pending: Promise<unknown>[] = []
  #errors: unknown[] = []

  constructor(api: ImportApi, sections: Sections, options: ImportOptions, slices: Slices) {
    this.#api = api
    this.#sections = sections
    this.#onlyVhost = options.onlyVhost ?? null
    this.#keepsExisting = options.keepsExisting ?? false
    this.#slices = slices
  }

  async importBroker(): Promise<void> {
    const { administration, broker } = this.#api
    const { users, vhosts, permissions, global_parameters: globals } = this.#sections
    // Before the users of the file come: theirs are new.
    const known = new Set(this.#keepsExisting ? broker.users.list().map(({ name }) => name) : [])
    for (const user of users)
      if (!known.has(user.name)) await this.#begin(`user '${user.name}'`, () => this.#user(user))
    await this.#end()
    for (const vhost of vhosts)
      if (!this.#keepsExisting || !broker.vhosts.has(vhost.name))
        await this.#begin(`vhost '${vhost.name}'`, () => this.#putVhost(vhost))
    await this.#end()
    for (const { user, vhost, ...sources } of permissions)
      if (!this.#has(broker.users.get(user)?.permissions.get(vhost) ?? null))
        await this.#begin(`permissions of '${user}' on '${vhost}'`, () =>
          administration.setPermissions(user, vhost, sources),
        )
    for (const { user, vhost, exchange, ...sources } of this.#sections.topic_permissions)
      if (!this.#has(broker.users.get(user)?.topicPermissions.get(vhost)?.get(exchange) ?? null))
        await this.#begin(`topic permissions of '${user}' on '${vhost}'`, () =>
          administration.setTopicPermissions(user, vhost, exchange, sources),
        )
    for (const { name, value } of globals)
      if (!this.#has(broker.globalParameters.get(GLOBAL_COMPONENT, name)))
        await this.#begin(`global parameter '${name}'`, () =>
          broker.globalParameters.set(GLOBAL_COMPONENT, name, value),
        )
    await this.#end()
  }

  async importVhosts(): Promise<void> {
    for (const parameter of this.#sections.parameters) {
      const subject = `parameter '${parameter.name}' of ${parameter.component}`
      const vhost = this.#vhost(subject, parameter.vhost)
      await this.#begin(subject, () => this.#parameter(vhost, parameter))
    }
    for (const policy of this.#sections.policies) {
      const subject = `policy '${policy.name}'`
      const { policies } = this.#vhost(subject, policy.vhost)
      if (!this.#has(policies.get(policy.name)))
        await this.#begin(subject, () =>
          policies.set(policy.name, {
            pattern: policy.pattern,
            definition: policy.definition,
            applyTo: policy["apply-to"],
            priority: policy.priority,
          }),
        )
    }
    await this.#end()
    for (const exchange of this.#sections.exchanges) {
      if (this.#slices.isOver()) await this.#slices.next()
      this.#exchange(this.#vhost(`exchange '${exchange.name}'`, exchange.vhost), exchange)
    }
    for (const queue of this.#sections.queues) {
      if (this.#slices.isOver()) await this.#slices.next()
      this.#queue(this.#vhost(`queue '${queue.name}'`, queue.vhost), queue)
    }
    for (const binding of this.#sections.bindings) {
      if (this.#slices.isOver()) await this.#slices.next()
      this.#bind(this.#vhost(`binding to '${binding.destination}'`, binding.vhost), binding)
    }
    await this.#api.broker.durableChanges.settled()
  }

  /** Something that is there and is to stay. */
  #has(present: object | null): boolean {
    return this.#keepsExisting && present !== null
  }

  /** Of an entry; one without a vhost belongs to the first. */
  #vhost(subject: string, name: string | undefined): Vhost {
    if (this.#onlyVhost !== null) return this.#onlyVhost
    const { vhosts } = this.#api.broker
    const vhost = name === undefined ? [...vhosts.values()][0] : vhosts.get(name)
    if (vhost === undefined) throw badRequest(`${subject}: there is no vhost '${name ?? ""}'`)
    return vhost
  }

  /** Collects changes that may be written together. */
  async #begin(subject: string, change: () => Promise<unknown>): Promise<void> {
    this.#pending.push(
      change().catch((error: unknown) => {
        this.#errors.push(named(subject, error))
      }),
    )
    if (this.#pending.length >= PENDING_MAX) await this.#end()
    else if (this.#slices.isOver()) await this.#slices.next()
  }

  async #end(): Promise<void> {
    const pending = this.#pending
    this.#pending = []
    await Promise.all(pending)
    if (this.#errors.length > 0) throw this.#errors[0]
  }

  async #user(user: Sections["users"][number]): Promise<void> {
    const { administration } = this.#api
    const { name, password_hash: hash, hashing_algorithm: algorithm, tags, limits } = user
    await administration.putUser(name, {
      passwordHash: hash ?? "",
      ...(typeof algorithm === "string" && algorithm !== "" && { hashingAlgorithm: algorithm }),
      ...(tags !== undefined && { tags: parseTags(tags) }),
    })
    for (const [limit, value] of limitsOf(limits))
      await administration.setUserLimit(name, limit, value)
  }

  async #putVhost({ metadata, limits, ...vhost }: Sections["vhosts"][number]): Promise<void> {
    const { administration } = this.#api
    await administration.putVhost(vhost.name, metadataOf({ ...vhost, ...metadata }))
    for (const [limit, value] of limitsOf(limits))
      await administration.setVhostLimit(vhost.name, limit, value)
  }

  async #parameter(vhost: Vhost, parameter: Sections["parameters"][number]): Promise<void> {
    const { component, name, value } = parameter
    if (component === OPERATOR_POLICY) {
      if (this.#has(vhost.operatorPolicies.get(name))) return
      const fields = fieldsOf(value)
      await vhost.operatorPolicies.set(name, {
        pattern: fields.get("pattern"),
        definition: fields.get("definition"),
        applyTo: fields.get("apply-to") ?? undefined,
        priority: fields.get("priority") ?? undefined,
      })
    } else if (component === VHOST_LIMITS) {
      const present = vhost.limits.toJSON()
      for (const [limit, number] of fieldsOf(value))
        if (typeof number === "number" && !(this.#keepsExisting && Object.hasOwn(present, limit)))
          await vhost.limits.set(limit, number)
    } else if (!this.#has(vhost.parameters.get(component, name)))
      await vhost.parameters.set(component, name, value)
  }

  #exchange(vhost: Vhost, exchange: Sections["exchanges"][number]): void {
    const { name } = exchange
    // Another product's own exchanges are nobody's data.
    if (isLogExchange(name)) declareLogExchange(vhost, name)
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
    throw named(subject, error)
  }
}

function named(subject: string, error: unknown): unknown {
  if (error instanceof Refusal) return new Refusal(error.kind, `${subject}: ${error.message}`)
  if (error instanceof AuthError) return new AuthError(`${subject}: ${error.message}`)
  return error
}

/** RabbitMQ writes an empty array where there are none. */
function limitsOf(limits: unknown): [string, number][] {
  if (typeof limits !== "object" || limits === null || Array.isArray(limits)) return []
  return Object.entries(limits).filter(
    (entry): entry is [string, number] => typeof entry[1] === "number",
  )
}

function fieldsOf(value: unknown): ReadonlyMap<string, unknown> {
  return new Map(typeof value === "object" && value !== null ? Object.entries(value) : [])
}
