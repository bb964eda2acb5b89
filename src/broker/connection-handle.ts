import type { User } from "../auth/users.ts"

/**
 * A client connection as the broker sees it: an owner of exclusive queues that can be asked to go.
 * Implemented by session/connection.ts.
 */
export interface ConnectionHandle {
  readonly id: number
  /** `127.0.0.1:50000 -> 127.0.0.1:5672` */
  readonly name: string
  readonly user: User | null
  /** Starts connection.close with 320 CONNECTION_FORCED and the reason. */
  forceClose(reason: string): void
}
