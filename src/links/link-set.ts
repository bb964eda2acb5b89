import type { Federation } from "./federation/federation.ts"
import type { Links } from "./links.ts"
import type { MoveJobs } from "./move/move-jobs.ts"
import type { Shovels } from "./shovel/shovels.ts"

/** What the management sees of the links: one field for each kind. Made by server/links.ts. */
export interface LinkSet {
  readonly links: Links
  readonly shovels: Shovels
  /** Messages that are being moved from queue to queue. */
  readonly jobs: MoveJobs
  readonly federation: Federation
}
