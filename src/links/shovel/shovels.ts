import type { User } from "../../auth/users.ts"
import type { Broker } from "../../broker/broker.ts"
import { Refusal } from "../../broker/errors.ts"
import type { Vhost } from "../../broker/vhost.ts"
import { messageOf } from "../../client/errors.ts"
import type { LinkEnvironment } from "../link-connection.ts"
import { LinkCounters } from "../link-status.ts"
import type { LinkKind, StartLine } from "../links.ts"
import { Shovel } from "./shovel.ts"
import { checkShovelAccess, checkShovelEnds } from "./shovel-access.ts"
import { parseShovel } from "./shovel-config.ts"

/**
 * The shovels of all vhosts: made and ended with their parameters, paused and resumed, deleted when they
 * have done what they were for. What a shovel does is shovel.ts.
 */
export interface ShovelsOptions {
  readonly broker: Broker
  readonly environment: LinkEnvironment
  readonly startLine: StartLine
}

export const SHOVEL_COMPONENT = "shovel"

export class Shovels implements LinkKind {
  readonly components = [SHOVEL_COMPONENT]
  readonly #options: ShovelsOptions
  readonly #byVhost = new Map<Vhost, Map<string, Shovel>>()
  /** What those have counted that are gone. */
  readonly ended = new LinkCounters()
  /** Those that are being ended, so that close() can wait for them. */
  readonly #ending = new Set<Promise<void>>()

  constructor(options: ShovelsOptions) {
    this.#options = options
  }

  get(vhost: Vhost, name: string): Shovel | null {
    return this.#byVhost.get(vhost)?.get(name) ?? null
  }

  list(vhost: Vhost): Shovel[] {
    return [...(this.#byVhost.get(vhost)?.values() ?? [])]
  }

  get count(): number {
    let count = 0
    for (const shovels of this.#byVhost.values()) count += shovels.size
    return count
  }

  // ---- parameters

  validate(_: Vhost, __: string, name: string, value: unknown, user: User | null): void {
    const config = parseShovel(name, value)
    checkShovelEnds(config)
    if (user !== null) checkShovelAccess(this.#options.broker, user, config)
  }

  vhostAdded(vhost: Vhost): void {
    for (const { name, value } of vhost.parameters.list(SHOVEL_COMPONENT))
      this.#set(vhost, name, value)
  }

  async vhostRemoved(vhost: Vhost): Promise<void> {
    const shovels = this.list(vhost)
    this.#byVhost.delete(vhost)
    for (const { status } of shovels) this.ended.add(status.counters)
    await Promise.all(shovels.map((shovel) => shovel.stop("stopped")))
  }

  parameterChanged(vhost: Vhost, _: string, name: string, value: unknown): void {
    if (value !== undefined) this.#set(vhost, name, value)
    else {
      void this.#remove(vhost, name)
      this.#savePaused(vhost, name, false).catch((error: unknown) => this.#logUnsaved(error))
    }
  }

  #set(vhost: Vhost, name: string, value: unknown): void {
    const { environment, broker, startLine } = this.#options
    const ended = this.#remove(vhost, name)
    let shovel: Shovel
    try {
      shovel = new Shovel({
        environment,
        vhostName: vhost.name,
        name,
        config: parseShovel(name, value),
        clusterName: () => broker.announcedClusterName,
        onCompleted: (completed) => void this.#completed(vhost, completed),
      })
    } catch (error) {
      // It was stored before it was checked, or by another version.
      environment.log.error(
        { vhost: vhost.name, shovel: name, reason: messageOf(error) },
        "a shovel cannot be started",
      )
      return
    }
    const shovels = this.#byVhost.get(vhost) ?? new Map<string, Shovel>()
    this.#byVhost.set(vhost, shovels.set(name, shovel))
    if (vhost.pausedShovels.has(name)) void shovel.stop("paused")
    else
      startLine.add(() => {
        void this.#startAfter(ended, vhost, shovel)
      })
  }

  async #startAfter(ended: Promise<void>, vhost: Vhost, shovel: Shovel): Promise<void> {
    await ended
    const isStill = this.get(vhost, shovel.name) === shovel
    if (isStill && shovel.status.state === "starting") shovel.start()
  }

  /** Resolves when the one that was there is gone. */
  #remove(vhost: Vhost, name: string): Promise<void> {
    const shovels = this.#byVhost.get(vhost)
    const shovel = shovels?.get(name)
    if (shovels === undefined || shovel === undefined) return Promise.resolve()
    shovels.delete(name)
    if (shovels.size === 0) this.#byVhost.delete(vhost)
    this.ended.add(shovel.status.counters)
    return this.#tracked(shovel.stop("stopped"))
  }

  #tracked(ending: Promise<void>): Promise<void> {
    this.#ending.add(ending)
    return ending.finally(() => this.#ending.delete(ending))
  }

  async #completed(vhost: Vhost, shovel: Shovel): Promise<void> {
    const { log } = this.#options.environment
    const { name } = shovel
    if (this.get(vhost, name) !== shovel) return
    log.info({ vhost: vhost.name, shovel: name }, "a shovel has ended as it was told to")
    try {
      await vhost.parameters.delete(SHOVEL_COMPONENT, name)
    } catch (error) {
      this.#logUnsaved(error)
    }
  }

  // ---- by operators

  /** Holds after a restart of the broker, too. Throws Refusal if it is paused or has ended. */
  async pause(vhost: Vhost, shovel: Shovel): Promise<void> {
    const { state } = shovel.status
    if (state === "paused" || state === "terminated" || state === "stopped")
      throw new Refusal("precondition-failed", `the shovel is ${state}`)
    await this.#savePaused(vhost, shovel.name, true)
    await this.#tracked(shovel.stop("paused"))
  }

  /** Throws Refusal unless it is paused. */
  async resume(vhost: Vhost, shovel: Shovel): Promise<void> {
    const { state } = shovel.status
    if (state !== "paused") throw new Refusal("precondition-failed", `the shovel is ${state}`)
    await this.#savePaused(vhost, shovel.name, false)
    shovel.start()
  }

  /** Throws Refusal if it is paused. */
  async restart(shovel: Shovel): Promise<void> {
    const { state } = shovel.status
    if (state === "paused" || state === "stopped")
      throw new Refusal("precondition-failed", `the shovel is ${state}`)
    await this.#tracked(shovel.restart())
  }

  #savePaused(vhost: Vhost, name: string, isPaused: boolean): Promise<void> {
    return vhost.pausedShovels.set(name, isPaused)
  }

  #logUnsaved(error: unknown): void {
    this.#options.environment.log.warn({ err: error }, "a change of a shovel could not be saved")
  }

  // ---- time

  tick(nowMs: number): void {
    for (const shovels of this.#byVhost.values())
      for (const shovel of shovels.values()) shovel.tick(nowMs)
  }

  async close(): Promise<void> {
    const all = [...this.#byVhost.values()].flatMap((shovels) => [...shovels.values()])
    this.#byVhost.clear()
    const stopping = all.map((shovel) => shovel.stop("stopped"))
    await Promise.all([Promise.all(stopping), Promise.all(this.#ending)])
  }
}
