import type { Administration } from "../broker/administration.ts"
import type { Broker } from "../broker/broker.ts"
import type { LogRing } from "../util/log-ring.ts"
import type { AuditTrail } from "./audit.ts"
import type { WrittenLevel } from "./log-level.ts"
import type { Sessions } from "./sessions.ts"
import type { Metrics } from "./metrics/metrics.ts"
import type { Statistics } from "./statistics.ts"
import type { LinkSet } from "../links/link-set.ts"

/** What handlers work with: the broker, what changes users and vhosts, and the sampled rates. */
export interface Api {
  readonly broker: Broker
  readonly administration: Administration
  readonly statistics: Statistics
  readonly sessions: Sessions
  readonly logs: LogRing
  readonly audit: AuditTrail
  readonly metrics: Metrics
  readonly links: LinkSet
  readonly node: NodeFacts
}

export interface Listener {
  readonly protocol: string
  readonly ip_address: string
  readonly port: number
}

/** One that a listener shows to its clients. */
export interface Certificate {
  /** Of the listener: amqps or https. */
  readonly protocol: string
  /** The host name that clients ask for; "" for all others. */
  readonly host: string
  readonly subject: string
  readonly notAfterMs: number
}

/** What only the composition root knows. */
export interface NodeFacts {
  /** `sluice@host` */
  readonly name: string
  readonly version: string
  /** Null if everything is in memory. */
  readonly dataDirectory: string | null
  readonly startedAtMs: number
  /** Publishing stops below this. */
  readonly freeDiskMinBytes: number
  readonly maxConnections: number
  /** Options in force by `section.key`, without secrets; empty for an embedded broker. */
  configuration(): Readonly<Record<string, unknown>>
  /** Of entries that are written from now on. */
  logLevel(): WrittenLevel
  setLogLevel(level: WrittenLevel): void
  freeDiskBytes(): number
  /** Of the process, as of the last look, and the limit above which publishing stops; a limit of 0 is none. */
  readonly memory: {
    readonly usedBytes: number
    readonly limitBytes: number
    readonly totalBytes: number
  }
  listeners(): readonly Listener[]
  certificates(): readonly Certificate[]
}
