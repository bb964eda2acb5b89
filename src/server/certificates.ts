import { TlsContexts } from "../net/tls-contexts.ts"
import type { CertificateFacts } from "../net/tls-contexts.ts"
import { TlsOptionsError } from "../net/tls-options.ts"
import type { TlsOptions } from "../net/tls-options.ts"
import type { Clock, TimerHandle } from "../util/clock.ts"
import type { Logger } from "../util/logger.ts"
import { StartError } from "./start-error.ts"

/**
 * The certificates of all listeners: made at the start, replaced while the broker runs, and watched: the log
 * says a month, a week and a day before one expires that it will.
 */
export type TlsProtocol = "amqps" | "https"

export interface ListenerCertificate extends CertificateFacts {
  readonly protocol: TlsProtocol
}

const DAY_MS = 86_400_000
const WARNING_DAYS = [1, 7, 30] as const

export class Certificates {
  readonly #contexts = new Map<TlsProtocol, TlsContexts>()
  readonly #clock: Clock
  readonly #log: Logger
  /** By fingerprint: days left of which the log has spoken. */
  #warned = new Map<string, number>()
  #timer: TimerHandle | null = null

  constructor(clock: Clock, log: Logger) {
    this.#clock = clock
    this.#log = log
  }

  /** Throws StartError. */
  open(protocol: TlsProtocol, options: TlsOptions | null | undefined): TlsContexts | null {
    if (options === null || options === undefined) return null
    try {
      const contexts = new TlsContexts(options, (path, error) => {
        this.#log.error({ path, err: error }, "the TLS key log cannot be written")
      })
      this.#contexts.set(protocol, contexts)
      return contexts
    } catch (error) {
      if (error instanceof TlsOptionsError)
        throw new StartError(`TLS: ${error.message}`, { cause: error })
      throw error
    }
  }

  /** Warns of what is about to expire, now and once a day. */
  start(): void {
    if (this.#contexts.size === 0 || this.#timer !== null) return
    this.#check()
  }

  /** For connections from then on. What cannot be used is logged, and changes nothing. */
  replace(protocol: TlsProtocol, options: TlsOptions | null | undefined): void {
    const contexts = this.#contexts.get(protocol)
    const isWanted = options !== null && options !== undefined
    if (contexts === undefined || !isWanted) {
      if (contexts !== undefined || isWanted)
        this.#log.warn({ protocol }, "to turn TLS on or off, the broker must be restarted")
      return
    }
    try {
      const before = fingerprintsOf(contexts)
      contexts.update(options)
      if (fingerprintsOf(contexts) === before) return
      this.#log.info(
        { protocol, certificates: contexts.certificates.map(({ subject }) => subject) },
        "certificates were replaced",
      )
      this.#warn()
    } catch (error) {
      if (!(error instanceof TlsOptionsError)) throw error
      this.#log.error({ protocol, reason: error.message }, "the certificates stay as they were")
    }
  }

  get list(): readonly ListenerCertificate[] {
    return [...this.#contexts].flatMap(([protocol, { certificates }]) =>
      certificates.map((certificate) => ({ protocol, ...certificate })),
    )
  }

  #check(): void {
    this.#timer = this.#clock.setTimer(DAY_MS, () => this.#check())
    this.#warn()
  }

  /** Once for each number of days; every day of one that has expired. */
  #warn(): void {
    const warned = new Map<string, number>()
    for (const { protocol, host, subject, fingerprint, notAfterMs } of this.list) {
      const days = (notAfterMs - this.#clock.nowMs) / DAY_MS
      const fields = { protocol, host, subject, expires: new Date(notAfterMs).toISOString() }
      if (days <= 0) this.#log.error(fields, "the certificate has expired")
      const stage = WARNING_DAYS.find((limit) => days <= limit)
      if (stage === undefined || days <= 0) continue
      const key = `${protocol} ${host} ${fingerprint}`
      warned.set(key, stage)
      if (this.#warned.get(key) !== stage)
        this.#log.warn({ ...fields, daysLeft: Math.floor(days) }, "the certificate expires soon")
    }
    this.#warned = warned
  }

  close(): void {
    this.#timer?.cancel()
    this.#timer = null
  }
}

function fingerprintsOf({ certificates }: TlsContexts): string {
  return certificates.map(({ host, fingerprint }) => `${host} ${fingerprint}`).join()
}
