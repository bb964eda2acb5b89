import type * as http from "node:http"
import type * as https from "node:https"
import type { Clock, TimerHandle } from "../../util/clock.ts"
import type { HttpTarget } from "./http-target.ts"

/**
 * Posts one body and says what came of it: the status, or why there is none. Connections are kept open
 * between requests; responses are read and thrown away, up to a limit. Knows no message and no retry.
 */
export interface HttpAnswer {
  readonly status: number
  /** Of the header Retry-After; null without one. */
  readonly retryAfter: string | null
}

export interface HttpRequest {
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

const CONNECT_TIMEOUT_MS = 10_000
/** A response that is longer is cut off together with its connection. */
const RESPONSE_MAX_BYTES = 1 << 20

/** Taken as an object: an import statement would load `fetch` and all that belongs to it at every start. */
function runtimeModule({ isTls }: HttpTarget): typeof http | typeof https {
  return isTls ? process.getBuiltinModule("node:https") : process.getBuiltinModule("node:http")
}

export class HttpSender {
  readonly #target: HttpTarget
  readonly #agent: http.Agent
  readonly #timeoutMs: number
  readonly #clock: Clock
  readonly #requests = new Set<http.ClientRequest>()

  constructor(clock: Clock, target: HttpTarget, connectionsMax: number, timeoutMs: number) {
    this.#clock = clock
    this.#target = target
    this.#timeoutMs = timeoutMs
    const options = { keepAlive: true, maxSockets: connectionsMax, scheduling: "lifo" } as const
    const { Agent } = runtimeModule(target)
    this.#agent = new Agent(options)
  }

  /** Rejects if there was no answer, or not in time. */
  post({ path, headers, body }: HttpRequest): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      const { host, port, auth, isTls } = this.#target
      const { request: begin } = runtimeModule(this.#target)
      const options: https.RequestOptions = {
        agent: this.#agent,
        method: "POST",
        host,
        port,
        path,
        headers,
        ...(auth === null ? {} : { auth }),
        ...(isTls ? this.#tlsOptions() : {}),
      }
      // What comes behind the first lines changes nothing, nor that it breaks off or never ends.
      let answer: HttpAnswer | null = null
      const request = begin(options, (response) => {
        const retryAfter = response.headers["retry-after"] ?? null
        const known = { status: response.statusCode ?? 0, retryAfter }
        answer = known
        discard(response, () => resolve(known))
      })
      this.#requests.add(request)
      const timers = this.#watch(request)
      request.on("error", (error) => {
        if (answer === null) reject(error)
        else resolve(answer)
      })
      request.on("close", () => {
        for (const timer of timers) timer.cancel()
        this.#requests.delete(request)
      })
      request.end(body)
    })
  }

  /** Ends a request that takes too long, and sooner one that does not even connect. */
  #watch(request: http.ClientRequest): TimerHandle[] {
    const whole = this.#clock.setTimer(this.#timeoutMs, () =>
      request.destroy(new Error(`no answer after ${String(this.#timeoutMs / 1000)} s`)),
    )
    const timers = [whole]
    request.on("socket", (socket) => {
      if (!socket.connecting) return
      const connecting = this.#clock.setTimer(CONNECT_TIMEOUT_MS, () =>
        request.destroy(new Error(`not connected after ${String(CONNECT_TIMEOUT_MS / 1000)} s`)),
      )
      timers.push(connecting)
      socket.once("connect", () => connecting.cancel())
    })
    return timers
  }

  #tlsOptions(): https.RequestOptions {
    const { tls, host } = this.#target
    if (tls === null) return {}
    const { verify, serverName, ca, cert, key, passphrase } = tls
    const isAddress = /^[\d.]+$|:/.test(host)
    const servername = serverName === null ? "" : (serverName ?? (isAddress ? "" : host))
    return {
      rejectUnauthorized: verify,
      servername,
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(passphrase === undefined ? {} : { passphrase }),
    }
  }

  close(): void {
    for (const request of this.#requests) request.destroy()
    this.#agent.destroy()
  }
}

function discard(response: http.IncomingMessage, onOver: () => void): void {
  let size = 0
  response.on("data", (bytes: Buffer) => {
    size += bytes.length
    if (size > RESPONSE_MAX_BYTES) response.destroy()
  })
  response.on("error", () => {}) // "close" follows.
  response.on("end", onOver)
  response.on("close", onOver)
}
