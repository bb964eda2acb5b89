import { Refusal } from "./errors.ts"
import { UNLIMITED } from "./limits.ts"
import type { LimitsOfUser } from "./limits.ts"

/**
 * Who may still connect and open channels: counts open connections of the node, of each vhost and of
 * each user, and the channels of each user, and compares them with the limits (limits.ts). A connection
 * counts from connection.open on until it gives back what it holds, so one that dies within its
 * handshake was never counted.
 */
export class Admission {
  /** Of the node; 0 is no limit. May change at any time. */
  maxConnections: number
  #connectionCount = 0
  /** Since the start, for the management. */
  connectionsOpenedCount = 0
  connectionsClosedCount = 0
  channelsOpenedCount = 0
  channelsClosedCount = 0
  readonly #ofVhost = new Counts()
  readonly #ofUser = new Counts()
  readonly #channelsOfUser = new Counts()

  constructor(maxConnections: number) {
    this.maxConnections = maxConnections
  }

  get connectionCount(): number {
    return this.#connectionCount
  }

  connectionsOfVhost(vhost: string): number {
    return this.#ofVhost.of(vhost)
  }

  connectionsOfUser(user: string): number {
    return this.#ofUser.of(user)
  }

  channelsOfUser(user: string): number {
    return this.#channelsOfUser.of(user)
  }

  /** Throws unless the node takes one more connection. */
  checkNode(): void {
    const max = this.maxConnections
    if (max !== 0 && this.#connectionCount >= max)
      throw new Refusal(
        "not-allowed",
        `connection refused: node connection limit (${max}) is reached`,
      )
  }

  /** Throws unless the vhost takes one more connection. */
  checkVhost(vhost: string, user: string, max: number): void {
    if (max !== UNLIMITED && this.#ofVhost.of(vhost) >= max)
      throw new Refusal(
        "not-allowed",
        `access to vhost '${vhost}' refused for user '${user}': connection limit (${max}) is reached`,
      )
  }

  /** Throws unless the user may have one more connection. */
  checkUser(user: string, { maxConnections: max }: LimitsOfUser): void {
    if (max !== UNLIMITED && this.#ofUser.of(user) >= max)
      throw new Refusal(
        "not-allowed",
        `connection refused for user '${user}': user connection limit (${max}) is reached`,
      )
  }

  /** Throws unless the user may have one more channel. */
  checkChannel(user: string, { maxChannels: max }: LimitsOfUser): void {
    if (max !== UNLIMITED && this.#channelsOfUser.of(user) >= max)
      throw new Refusal(
        "not-allowed",
        `number of channels opened for user '${user}' has reached the maximum allowed user limit of (${max})`,
      )
  }

  connectionOpened(vhost: string, user: string): void {
    this.#connectionCount++
    this.connectionsOpenedCount++
    this.#ofVhost.add(vhost, 1)
    this.#ofUser.add(user, 1)
  }

  connectionClosed(vhost: string, user: string): void {
    this.#connectionCount--
    this.connectionsClosedCount++
    this.#ofVhost.add(vhost, -1)
    this.#ofUser.add(user, -1)
  }

  channelOpened(user: string): void {
    this.channelsOpenedCount++
    this.#channelsOfUser.add(user, 1)
  }

  channelsClosed(user: string, count: number): void {
    if (count === 0) return
    this.channelsClosedCount += count
    this.#channelsOfUser.add(user, -count)
  }
}

/** Numbers by name; a name that is not there counts 0, so that deleted users and vhosts leave nothing behind. */
class Counts {
  readonly #counts = new Map<string, number>()

  of(name: string): number {
    return this.#counts.get(name) ?? 0
  }

  add(name: string, change: number): void {
    const count = this.of(name) + change
    if (count === 0) this.#counts.delete(name)
    else this.#counts.set(name, count)
  }
}
