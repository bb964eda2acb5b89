import type { Administration } from "../broker/administration.ts"
import type { Broker } from "../broker/broker.ts"
import type { Statistics } from "./statistics.ts"

/** What handlers work with: the broker, what changes users and vhosts, and the sampled rates. */
export interface Api {
  readonly broker: Broker
  readonly administration: Administration
  readonly statistics: Statistics
  readonly node: NodeFacts
}

export interface Listener {
  readonly protocol: string
  readonly ip_address: string
  readonly port: number
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
  freeDiskBytes(): number
  listeners(): readonly Listener[]
}
