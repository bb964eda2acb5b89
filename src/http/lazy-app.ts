import type { Clock } from "../util/clock.ts"
import type { Logger } from "../util/logger.ts"
import type { AppBindings, HttpApp } from "./app.ts"

/**
 * An HTTP application that is loaded and put together after the broker serves its AMQP clients, or by its
 * first request. A request that comes meanwhile waits for it.
 */
export interface ServedApp {
  /** Rejects if the application cannot be loaded. */
  fetch(request: Request, bindings?: AppBindings["Bindings"]): Promise<Response>
}

export class LazyApp implements ServedApp {
  readonly #make: () => Promise<HttpApp>
  readonly #log: Logger
  #app: Promise<HttpApp> | null = null

  constructor(make: () => Promise<HttpApp>, log: Logger) {
    this.#make = make
    this.#log = log
  }

  /** As often as wanted; it is made once. */
  load(): Promise<HttpApp> {
    this.#app ??= this.#made()
    return this.#app
  }

  async #made(): Promise<HttpApp> {
    try {
      return await this.#make()
    } catch (error) {
      this.#log.error({ err: error }, "the HTTP API cannot be loaded")
      throw error
    }
  }

  async fetch(request: Request, bindings?: AppBindings["Bindings"]): Promise<Response> {
    return (await this.load()).fetch(request, bindings)
  }

  /** For tests: a request without a socket. */
  async request(path: string, init?: RequestInit): Promise<Response> {
    return (await this.load()).request(path, init)
  }
}

/** Each in a turn of the event loop of its own: all at once would hold everybody else up. */
export async function loadInTurns(clock: Clock, parts: readonly (() => unknown)[]): Promise<void> {
  for (const part of parts) {
    await new Promise<void>((resolve) => clock.setImmediate(resolve))
    await part()
  }
}
