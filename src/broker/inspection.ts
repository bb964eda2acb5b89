import type { Table } from "../amqp/table.ts"

/**
 * What connections, channels and consumers tell the management of themselves. Types, and the sums of
 * counters; made when somebody asks, never on the path of a message. The session implements it
 * (session/inspection.ts).
 */

/** What passed through a channel since it was opened, in messages. */
export interface ChannelCounters {
  /** From the client. */
  readonly publishedCount: number
  readonly confirmedCount: number
  /** Returned to the client because nobody wanted them (mandatory). */
  readonly returnedCount: number
  /** Nobody wanted them, and the client did not ask for them back. */
  readonly droppedCount: number
  /** In confirm mode. */
  readonly publishedConfirmCount: number
  /** To consumers that acknowledge. */
  readonly deliveredCount: number
  /** To consumers that do not. */
  readonly deliveredNoAckCount: number
  /** By basic.get. */
  readonly gotCount: number
  readonly gotNoAckCount: number
  /** basic.get that found nothing. */
  readonly getEmptyCount: number
  readonly redeliveredCount: number
  readonly acknowledgedCount: number
  /** Rejected or nacked, requeued or not. */
  readonly rejectedCount: number
}

export const CHANNEL_COUNTERS = [
  "publishedCount",
  "confirmedCount",
  "returnedCount",
  "droppedCount",
  "publishedConfirmCount",
  "deliveredCount",
  "deliveredNoAckCount",
  "gotCount",
  "gotNoAckCount",
  "getEmptyCount",
  "redeliveredCount",
  "acknowledgedCount",
  "rejectedCount",
] as const satisfies readonly (keyof ChannelCounters)[]

/** A sum of counters. */
export class CounterSum implements ChannelCounters {
  publishedCount = 0
  confirmedCount = 0
  returnedCount = 0
  droppedCount = 0
  publishedConfirmCount = 0
  deliveredCount = 0
  deliveredNoAckCount = 0
  gotCount = 0
  gotNoAckCount = 0
  getEmptyCount = 0
  redeliveredCount = 0
  acknowledgedCount = 0
  rejectedCount = 0

  add(counters: ChannelCounters): void {
    for (const name of CHANNEL_COUNTERS) this[name] += counters[name]
  }
}

/** The counters of channels that are gone, by vhost: with those of the open ones they are the totals. */
export class ClosedChannels {
  readonly #sums = new Map<string, CounterSum>()
  readonly #ofDeletedVhosts = new CounterSum()

  add(vhostName: string, counters: ChannelCounters): void {
    let sum = this.#sums.get(vhostName)
    if (sum === undefined) this.#sums.set(vhostName, (sum = new CounterSum()))
    sum.add(counters)
  }

  of(vhostName: string): ChannelCounters | null {
    return this.#sums.get(vhostName) ?? null
  }

  /** Of all vhosts, those that are gone included. */
  addAll(sum: CounterSum): void {
    sum.add(this.#ofDeletedVhosts)
    for (const counters of this.#sums.values()) sum.add(counters)
  }

  /** The vhost is gone: one of the same name begins anew. */
  forget(vhostName: string): void {
    const counters = this.#sums.get(vhostName)
    if (counters === undefined) return
    this.#ofDeletedVhosts.add(counters)
    this.#sums.delete(vhostName)
  }
}

export type ConnectionState = "starting" | "running" | "blocked" | "flow" | "closing" | "closed"

/** What is known of a TLS connection. */
export interface EncryptionInfo {
  /** `TLSv1.3` */
  readonly protocol: string
  /** `TLS_AES_256_GCM_SHA384` */
  readonly cipher: string
  /** Of the client; null if it has shown none. */
  readonly certificate: {
    /** Of the authority that the listener was given: who has it may log in by it. */
    readonly isVerified: boolean
    readonly distinguishedName: string
    /** Null unless there is exactly one. */
    readonly commonName: string | null
    readonly issuer: string
    readonly validity: string
  } | null
}

export interface ConnectionInfo {
  readonly name: string
  /** As the client named itself; "" if it did not. */
  readonly clientName: string
  /** "" before the login. */
  readonly user: string
  /** "" before it was opened. */
  readonly vhost: string
  readonly state: ConnectionState
  readonly mechanism: string
  readonly clientProperties: Table
  readonly connectedAtMs: number
  readonly channelMax: number
  readonly frameMax: number
  readonly heartbeatSeconds: number
  /** AMQP 0-9-1, or how it came over a WebSocket. */
  readonly protocol: string
  /** Over TLS. */
  readonly isEncrypted: boolean
  /** Null without TLS, and for what nobody knows about it. */
  readonly encryption: EncryptionInfo | null
  readonly peerHost: string
  readonly peerPort: number
  readonly host: string
  readonly port: number
  readonly channelCount: number
  readonly pendingBytes: number
}

export interface ChannelInfo {
  /** `127.0.0.1:50000 -> 127.0.0.1:5672 (1)` */
  readonly name: string
  readonly number: number
  readonly connection: InspectedConnection
  readonly state: "running" | "flow" | "closing"
  readonly isConfirming: boolean
  readonly isTransactional: boolean
  readonly prefetchCount: number
  readonly globalPrefetchCount: number
  readonly unackedCount: number
  readonly unconfirmedCount: number
  readonly consumerCount: number
  /** Also the identity of the channel while it is open. */
  readonly counters: ChannelCounters
}

export interface ConsumerInfo {
  readonly tag: string
  readonly queue: string
  readonly vhost: string
  readonly connection: InspectedConnection
  readonly channelNumber: number
  readonly noAck: boolean
  readonly exclusive: boolean
  readonly prefetchCount: number
  readonly priority: number
  readonly arguments: Table
  /** False while it waits for another to leave (single active consumer). */
  readonly isActive: boolean
  /** Its queue delivers to one consumer at a time (single active consumer). */
  readonly isSingleActive: boolean
  readonly unackedCount: number
  /** It may take a message now. */
  readonly hasCapacity: boolean
}

/** What one consumer, or basic.get on one queue, has not settled. */
export interface UnackedInfo {
  readonly connection: InspectedConnection
  readonly channelNumber: number
  readonly queue: string
  readonly vhost: string
  /** "" for basic.get, and where the consumer was cancelled meanwhile. */
  readonly consumerTag: string
  readonly count: number
  /** Since about when it has the oldest one; null: not for long. */
  readonly oldestHeldSinceMs: number | null
  /** 0: as many as the client likes. */
  readonly prefetchCount: number
}

/** A connection as the management sees it. */
export interface InspectedConnection {
  readonly id: number
  readonly name: string
  /** "" before the login. */
  readonly userName: string
  /** "" before it was opened. */
  readonly vhostName: string
  readonly channelCount: number
  /** Channels that have published something. */
  readonly publisherCount: number
  readonly receivedBytes: number
  readonly sentBytes: number
  /** Adds what its open channels have counted. */
  addCounters(sum: CounterSum): void
  describe(): ConnectionInfo
  /** Open channels by number. */
  describeChannels(): ChannelInfo[]
  describeConsumers(): ConsumerInfo[]
  describeUnacked(): UnackedInfo[]
  /** Since about when the client has a delivery that it has not settled; null: not for long. */
  heldSinceMs(channelNumber: number, deliveryTag: number): number | null
  /** The client is told (basic.cancel) if it can be. False if there is no such consumer. */
  cancelConsumer(channelNumber: number, tag: string): boolean
  /** For consumers that are started from now on. False if there is no such channel. */
  setPrefetch(channelNumber: number, count: number): boolean
  forceClose(reason: string): void
}

export function channelName(connectionName: string, number: number): string {
  return `${connectionName} (${number})`
}
