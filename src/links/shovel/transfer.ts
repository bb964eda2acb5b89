import type { LinkCounters } from "../link-status.ts"
import type { LinkEnvironment, LinkSession } from "../link-connection.ts"
import type { HeaderWriter } from "./forward-headers.ts"
import type { ShovelConfig } from "./shovel-config.ts"
import type { ShovelSource } from "./source.ts"
import type { Delivery } from "../../client/delivery.ts"

/** What a session's way from the source to the destination needs to know, and whom it tells. */
export interface TransferContext {
  readonly environment: LinkEnvironment
  readonly session: LinkSession
  readonly config: ShovelConfig
  readonly source: ShovelSource
  readonly headers: HeaderWriter
  readonly counters: LinkCounters
  readonly shovelName: string
  /** Messages that may still be taken; infinite without a limit. */
  readonly limit: number
  /** So many are done with. */
  settled(count: number): void
  /** Shown while the shovel runs; null: all is well again. */
  trouble(text: string | null, nextAttemptAtMs: number | null): void
}

export interface Transfer {
  /** Sent to the destination, and not settled. */
  readonly pendingCount: number
  /** The destination takes nothing at present. */
  readonly isBlocked: boolean
  onDelivery(delivery: Delivery): void
  /** Takes no more; what is pending is still settled. */
  finish(): void
  close(): void
}
