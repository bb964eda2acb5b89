import type { VhostEntry, VhostMetadata } from "./vhost-store.ts"

/**
 * The list of vhosts, and how one comes and goes while the broker runs. Implemented by
 * server/vhosts.ts, which ties a vhost to its files.
 */
export interface VhostChanges {
  /** In the order of creation. */
  list(): VhostEntry[]
  get(name: string): VhostEntry | null
  /** Creates, or changes the metadata that is given; true if it is new. Resolves when it is on disk. */
  put(name: string, metadata: VhostMetadata): Promise<boolean>
  /** False if there is none. Closes its connections; resolves when its files are gone. */
  delete(name: string): Promise<boolean>
}
