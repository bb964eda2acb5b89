import type { JsonDocument, User } from "../auth/users.ts"
import { Refusal, savedInForce } from "./errors.ts"

/**
 * Runtime parameters: values that clients of the management store by component and name (shovels,
 * upstreams of federation), and global ones by name alone. Kept in files of LavinMQ's format:
 *
 *   <vhost>/parameters.json   [{"component":"shovel","name":"s1","value":{…}}]
 *   parameters.json           [{"name":"cluster_name","value":"c1"}]
 *
 * What a value means is the business of the component, which learns of changes by `onChanged`.
 */
export interface Parameter {
  /** "" for a global one. */
  readonly component: string
  readonly name: string
  /** Anything that JSON can say. */
  readonly value: unknown
}

export const GLOBAL_COMPONENT = ""
const NAME_SIZE_MAX = 255

export class Parameters {
  /**
   * Throws Refusal if the component cannot use the value. `user` is who sets it and needs the rights for
   * what it does; null if nobody is to be asked.
   */
  validate: (component: string, name: string, value: unknown, user: User | null) => void = () => {}
  /** Called after a change; `value` is undefined if the parameter was deleted. */
  onChanged: (component: string, name: string, value: unknown) => void = () => {}
  readonly #document: JsonDocument
  readonly #components = new Map<string, Map<string, Parameter>>()

  constructor(document: JsonDocument) {
    this.#document = document
  }

  /** Entries without a name or value are left out. */
  load(): void {
    this.#components.clear()
    const stored = this.#document.load()
    for (const entry of Array.isArray(stored) ? stored : []) {
      const parameter = parseParameter(entry)
      if (parameter !== null) this.#put(parameter)
    }
  }

  get(component: string, name: string): Parameter | null {
    return this.#components.get(component)?.get(name) ?? null
  }

  /** Of one component, or all. */
  list(component: string | null = null): Parameter[] {
    if (component !== null) return [...(this.#components.get(component)?.values() ?? [])]
    return [...this.#components.values()].flatMap((parameters) => Array.from(parameters.values()))
  }

  /** Creates or replaces; true if it is new. Resolves when it is on disk. Throws Refusal. */
  async set(
    component: string,
    name: string,
    value: unknown,
    user: User | null = null,
  ): Promise<boolean> {
    checkName(name)
    if (component !== GLOBAL_COMPONENT) checkName(component)
    if (value === undefined) throw new Refusal("precondition-failed", "a parameter needs a value")
    this.validate(component, name, value, user)
    const isNew = this.get(component, name) === null
    const parameter = { component, name, value: copyOf(value) }
    this.#put(parameter)
    this.onChanged(component, name, parameter.value)
    await this.#save()
    return isNew
  }

  /** False if there is none. */
  async delete(component: string, name: string): Promise<boolean> {
    const parameters = this.#components.get(component)
    if (parameters === undefined || !parameters.delete(name)) return false
    if (parameters.size === 0) this.#components.delete(component)
    this.onChanged(component, name, undefined)
    await this.#save()
    return true
  }

  #put(parameter: Parameter): void {
    const present = this.#components.get(parameter.component)
    if (present === undefined)
      this.#components.set(parameter.component, new Map([[parameter.name, parameter]]))
    else present.set(parameter.name, parameter)
  }

  #save(): Promise<void> {
    return savedInForce(this.#document.save(this.list().map(formatParameter)))
  }
}

function formatParameter({ component, name, value }: Parameter): Record<string, unknown> {
  return component === GLOBAL_COMPONENT ? { name, value } : { component, name, value }
}

function parseParameter(entry: unknown): Parameter | null {
  if (typeof entry !== "object" || entry === null) return null
  const fields = new Map<string, unknown>(Object.entries(entry))
  const component = fields.get("component") ?? GLOBAL_COMPONENT
  const name = fields.get("name")
  const value = fields.get("value")
  if (typeof component !== "string" || typeof name !== "string" || value === undefined) return null
  return { component, name, value }
}

function checkName(name: string): void {
  if (name === "" || Buffer.byteLength(name) > NAME_SIZE_MAX)
    throw new Refusal(
      "precondition-failed",
      `a parameter needs names of 1 to ${NAME_SIZE_MAX} bytes`,
    )
}

/** The caller may go on changing its object. */
function copyOf(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value))
}
