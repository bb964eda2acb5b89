/**
 * Saved targets: named URLs with a user and, if wanted, a password, in one file for the owner only. Which of
 * them a command uses is decided in target.ts.
 */
import { contextsPath } from "./environment.ts"
import type { Environment } from "./environment.ts"
import { CliError, EXIT, usageError } from "./exit-codes.ts"
import { isOpenToOthers, readTextIfPresent, writePrivate } from "./files.ts"
import { fieldsOf } from "./text.ts"

export interface SavedTarget {
  readonly uri: string
  readonly user?: string
  readonly password?: string
}

const NAME = /^[\w.-]{1,64}$/
const COUNT_MAX = 1000

export class Contexts {
  readonly #path: string
  #current: string | null = null
  readonly #targets = new Map<string, SavedTarget>()

  /** Throws CliError for a file that cannot be used. */
  constructor(env: Environment) {
    this.#path = contextsPath(env)
    const text = readTextIfPresent(this.#path)
    if (text === null) return
    let file: unknown
    try {
      file = JSON.parse(text)
    } catch {
      throw new CliError(EXIT.config, `${this.#path} is no JSON: repair or remove it`)
    }
    const { current, contexts } = fieldsOf(file)
    for (const [name, value] of Object.entries(fieldsOf(contexts))) {
      const { uri, user, password } = fieldsOf(value)
      if (typeof uri !== "string")
        throw new CliError(EXIT.config, `${this.#path}: the context '${name}' has no uri`)
      this.#targets.set(name, {
        uri,
        ...(typeof user === "string" && { user }),
        ...(typeof password === "string" && { password }),
      })
    }
    if (typeof current === "string" && this.#targets.has(current)) this.#current = current
    const hasSecret = [...this.#targets.values()].some(({ password }) => password !== undefined)
    if (hasSecret && isOpenToOthers(this.#path))
      throw new CliError(
        EXIT.config,
        `${this.#path} holds passwords and can be read by others: chmod 600 it`,
      )
  }

  /** Used without an option or variable; null for none. */
  get current(): string | null {
    return this.#current
  }

  get(name: string): SavedTarget {
    const target = this.#targets.get(name)
    if (target === undefined)
      throw usageError(`there is no context '${name}' (sluicectl context list)`)
    return target
  }

  list(): [name: string, target: SavedTarget][] {
    return [...this.#targets]
  }

  set(name: string, target: SavedTarget): void {
    if (!NAME.test(name))
      throw usageError(
        "a context has a name of 1 to 64 letters, digits, dots, dashes or underscores",
      )
    if (this.#targets.size >= COUNT_MAX && !this.#targets.has(name))
      throw new CliError(EXIT.config, `there are ${String(COUNT_MAX)} contexts already`)
    this.#targets.set(name, target)
    this.#save()
  }

  /** Null: the control socket again. */
  use(name: string | null): void {
    if (name !== null) this.get(name)
    this.#current = name
    this.#save()
  }

  remove(name: string): void {
    this.get(name)
    this.#targets.delete(name)
    if (this.#current === name) this.#current = null
    this.#save()
  }

  #save(): void {
    const contexts = Object.fromEntries(this.#targets)
    writePrivate(this.#path, `${JSON.stringify({ current: this.#current, contexts }, null, 2)}\n`)
  }
}
