import type { User } from "../auth/users.ts"
import type { Broker } from "../broker/broker.ts"
import type { Vhost } from "../broker/vhost.ts"
import type { TimerHandle } from "../util/clock.ts"

/**
 * All links of a broker: tells each kind (shovels, federation) which vhosts and parameters come and go,
 * lets links start a few at a time, and ends them before the stores close. What a link is, its kind
 * knows.
 */
export interface LinkKind {
  /** Components of the runtime parameters that are its own. */
  readonly components: readonly string[]
  /** Throws Refusal. `user` is who sets the parameter; null if nobody is to be asked (the broker itself). */
  validate(vhost: Vhost, component: string, name: string, value: unknown, user: User | null): void
  /** Its parameters are to be read. At start for every vhost, later for new ones. */
  vhostAdded(vhost: Vhost): void
  /** Ends its links. The vhost is no longer in broker.vhosts; its connections are being closed. */
  vhostRemoved(vhost: Vhost): Promise<void>
  /** `value` is undefined if it was deleted. */
  parameterChanged(vhost: Vhost, component: string, name: string, value: unknown): void
  /** Once per second. */
  tick(nowMs: number): void
  /** Ends all links, within a few seconds. */
  close(): Promise<void>
}

const TICK_MS = 1000
/** Links that start in one turn of the event loop: each connects and declares, some ms of work. */
const STARTS_PER_TURN = 4
const TURN_MS = 5

/** Lets many things begin one after the other. */
export class StartLine {
  readonly #broker: Broker
  #waiting: (() => void)[] = []
  #timer: TimerHandle | null = null

  constructor(broker: Broker) {
    this.#broker = broker
  }

  /** Runs `start` soon, unless the returned function was called before. */
  add(start: () => void): () => void {
    let isWanted = true
    this.#waiting.push(() => {
      if (isWanted) start()
    })
    this.#timer ??= this.#broker.clock.setTimer(0, () => this.#startSome())
    return () => {
      isWanted = false
    }
  }

  close(): void {
    this.#waiting = []
    this.#timer?.cancel()
    this.#timer = null
  }

  #startSome(): void {
    this.#timer = null
    for (const start of this.#waiting.splice(0, STARTS_PER_TURN)) start()
    if (this.#waiting.length > 0)
      this.#timer = this.#broker.clock.setTimer(TURN_MS, () => this.#startSome())
  }
}

export class Links {
  readonly startLine: StartLine
  readonly #broker: Broker
  #kinds: readonly LinkKind[] = []
  #ticker: TimerHandle | null = null
  #isRunning = false

  constructor(broker: Broker) {
    this.#broker = broker
    this.startLine = new StartLine(broker)
  }

  /** Parameters are checked from now on; nothing is started yet. */
  use(kinds: readonly LinkKind[]): void {
    this.#kinds = kinds
    for (const vhost of this.#broker.vhosts.values()) this.#watch(vhost)
    this.#broker.onVhostAdded = (vhost) => {
      this.#watch(vhost)
      if (this.#isRunning) for (const kind of this.#kinds) kind.vhostAdded(vhost)
    }
    this.#broker.onVhostDeleted = async (vhost) => {
      await Promise.all(this.#kinds.map((kind) => kind.vhostRemoved(vhost)))
    }
  }

  /** The listeners are open: links may connect, also to this broker itself. */
  start(): void {
    this.#isRunning = true
    for (const vhost of this.#broker.vhosts.values())
      for (const kind of this.#kinds) kind.vhostAdded(vhost)
    this.#tick()
  }

  /** Nothing of the links is left when it resolves. */
  async close(): Promise<void> {
    this.#isRunning = false
    this.#ticker?.cancel()
    this.startLine.close()
    await Promise.all(this.#kinds.map((kind) => kind.close()))
  }

  #watch(vhost: Vhost): void {
    vhost.parameters.validate = (component, name, value, user) =>
      this.#kindOf(component)?.validate(vhost, component, name, value, user)
    vhost.parameters.onChanged = (component, name, value) => {
      if (this.#isRunning) this.#kindOf(component)?.parameterChanged(vhost, component, name, value)
    }
  }

  #kindOf(component: string): LinkKind | null {
    return this.#kinds.find(({ components }) => components.includes(component)) ?? null
  }

  #tick(): void {
    const { clock } = this.#broker
    clock.refresh()
    for (const kind of this.#kinds) kind.tick(clock.nowMs)
    this.#ticker = clock.setTimer(TICK_MS, () => this.#tick())
  }
}
