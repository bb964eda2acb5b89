/**
 * One run of a command: its values, where results go, and the API, to which a connection is made when
 * something is asked. Commands get nothing else.
 */
import type { Clock } from "../util/clock.ts"
import { Client } from "./client.ts"
import { CliError, EXIT } from "./exit-codes.ts"
import type { Output } from "./output.ts"
import { resolveTarget } from "./target.ts"
import type { Environment } from "./environment.ts"
import { expand } from "./text.ts"
import type { Values } from "./values.ts"

const TIMEOUT_SECONDS = 60

export interface SessionOptions {
  /** Arguments by name, options of the command by their long flag, as `--limit`. */
  readonly values: Values
  /** The options that every command has, by name. */
  readonly globals: Values
  readonly output: Output
  readonly env: Environment
  readonly clock: Clock
}

export class Session {
  readonly values: Values
  readonly globals: Values
  readonly output: Output
  readonly env: Environment
  readonly clock: Clock
  #client: Client | null = null

  constructor({ values, globals, output, env, clock }: SessionOptions) {
    this.values = values
    this.globals = globals
    this.output = output
    this.env = env
    this.clock = clock
  }

  get vhost(): string {
    return this.globals.optional("vhost") ?? "/"
  }

  get timeoutMs(): number {
    return (this.globals.number("timeout") ?? TIMEOUT_SECONDS) * 1000
  }

  get api(): Client {
    this.#client ??= new Client(resolveTarget(this.globals, this.env), this.timeoutMs)
    return this.#client
  }

  /** The next request looks for the broker anew. */
  forgetConnection(): void {
    this.#client = null
  }

  /** `{vhost}` and the names of arguments are replaced, as segments of a path. */
  path(template: string): string {
    return expand(template, (name) => segment(this.#named(name)))
  }

  /** The same as text for people. */
  sentence(template: string): string {
    return expand(template, (name) => this.#named(name))
  }

  #named(name: string): string {
    return name === "vhost" ? this.vhost : this.values.text(name)
  }

  async say(template: string): Promise<void> {
    await this.output.say(this.sentence(template))
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.clock.setTimer(ms, resolve)
    })
  }
}

/** A name in a path. Servers take `.` and `..` for directions, even when they are escaped. */
export function segment(name: string): string {
  if (name === "." || name === "..")
    throw new CliError(EXIT.data, `the name '${name}' cannot be used in a path of the API`)
  return encodeURIComponent(name)
}
