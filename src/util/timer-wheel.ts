import type { Clock, TimerHandle } from "./clock.ts"

/**
 * Many deadlines, one timer: expiry of messages and queues, consumer timeouts, delayed messages. A
 * hierarchy of wheels of 64 slots; an entry lies in the finest wheel that reaches its tick and moves
 * to a finer one when its slot comes up, at most four times.
 *
 *   wheel   ticks per slot   reach with ticks of 16 ms
 *   0       1                1 s
 *   1       64               65 s
 *   2       4,096            70 min
 *   3       262,144          3 days
 *   4       16,777,216       198 days; what lies beyond waits in the last slot and is put in again
 *
 * schedule() and cancel() cost the same however many entries there are. The timer is armed for the next
 * slot that holds something, so ticks without entries cost nothing. Fires up to one tick late, never
 * early. Not for things that must happen within a tick.
 */
const SLOTS = 64
/** Ticks per slot of each wheel. */
const SPANS: readonly number[] = [1, SLOTS, SLOTS ** 2, SLOTS ** 3, SLOTS ** 4]
/** The farthest tick, from now, that a slot can stand for. */
const REACH = (SLOTS - 2) * SLOTS ** 4

/** Index of the list of entries whose time has come, behind the slots. */
const DUE_LIST = SPANS.length * SLOTS
const NOT_SCHEDULED = -1

/** Entries fired in one turn of the event loop; the others follow in the next ones. */
const FIRED_MAX = 1000
/** Or fewer, if they take this long: a thousand queues may be deleted at one moment. */
const SLICE_MS = 3

/** The wall clock may jump: look at it this often while something is scheduled. */
const ARMED_MS_MAX = 60_000

/** Something that has a deadline. At most once on one wheel. */
export abstract class WheelEntry {
  /** When it falls due, as given to schedule(). */
  dueMs = 0
  /** The fields below belong to the wheel. */
  wheelSlot = NOT_SCHEDULED
  wheelPrevious: WheelEntry | null = null
  wheelNext: WheelEntry | null = null

  get isScheduled(): boolean {
    return this.wheelSlot !== NOT_SCHEDULED
  }

  /** It is not scheduled any more when this is called, and may schedule itself anew. */
  abstract onDue(nowMs: number): void
}

export class TimerWheel {
  /** Entries that are scheduled. */
  count = 0
  readonly #clock: Clock
  readonly #tickMs: number
  readonly #heads: (WheelEntry | null)[] = Array.from({ length: DUE_LIST + 1 }, () => null)
  readonly #tails: (WheelEntry | null)[] = Array.from({ length: DUE_LIST + 1 }, () => null)
  /** Every slot up to this tick is empty or has been emptied. */
  #tick: number
  #timer: TimerHandle | null = null
  /** The tick for which the timer is armed. */
  #armedTick = Infinity
  /** The rest of the due ones is fired in the next turn. */
  #isContinuing = false
  #isFiring = false
  #closed = false

  constructor(clock: Clock, tickMs = 16) {
    this.#clock = clock
    this.#tickMs = tickMs
    this.#tick = this.#nowTick()
  }

  /** Sets the deadline, or another one if there was one. One in the past falls due with the next tick. */
  schedule(entry: WheelEntry, dueMs: number): void {
    if (entry.isScheduled) this.cancel(entry)
    if (this.#closed) return
    entry.dueMs = dueMs
    this.#follow()
    const tick = this.#place(entry)
    this.count++
    if (tick < this.#armedTick && !this.#isFiring && !this.#isContinuing) this.#arm(tick)
  }

  /** No error if it is not scheduled. */
  cancel(entry: WheelEntry): void {
    if (!entry.isScheduled) return
    this.#unlink(entry)
    this.count--
    if (this.count === 0) this.#disarm()
  }

  /** Forgets all entries; nothing falls due any more. */
  close(): void {
    this.#closed = true
    for (let slot = 0; slot <= DUE_LIST; slot++)
      for (let entry = this.#heads[slot]!; entry !== null; entry = this.#heads[slot]!)
        this.#unlink(entry)
    this.count = 0
    this.#disarm()
  }

  // ---- time

  #nowTick(): number {
    return Math.floor(this.#clock.nowMs / this.#tickMs)
  }

  /**
   * The present tick moves on by itself while nothing is scheduled, and back with the wall clock: what
   * is scheduled then would else wait until the clock is where it was.
   */
  #follow(): void {
    const now = this.#nowTick()
    if (this.count === 0) this.#tick = now
    else if (now < this.#tick - 1) this.#replaceAll(now)
  }

  #replaceAll(tick: number): void {
    const entries: WheelEntry[] = []
    for (let slot = 0; slot < DUE_LIST; slot++)
      for (let entry = this.#heads[slot]!; entry !== null; entry = this.#heads[slot]!) {
        this.#unlink(entry)
        entries.push(entry)
      }
    this.#tick = tick
    for (const entry of entries) this.#place(entry)
    if (!this.#isFiring && !this.#isContinuing) this.#armNext()
  }

  #arm(tick: number): void {
    this.#timer?.cancel()
    this.#armedTick = tick
    const delayMs = Math.max(0, tick * this.#tickMs - this.#clock.nowMs)
    this.#timer = this.#clock.setTimer(Math.min(delayMs, ARMED_MS_MAX), () => {
      this.#timer = null
      this.#armedTick = Infinity
      this.#clock.refresh()
      this.#advance()
    })
  }

  #armNext(): void {
    const tick = this.#nextTick()
    if (tick === Infinity) this.#disarm()
    else if (tick !== this.#armedTick) this.#arm(tick)
  }

  #disarm(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#armedTick = Infinity
  }

  /** The first tick at which some slot has to be emptied. */
  #nextTick(): number {
    let next = Infinity
    for (let wheel = 0; wheel < SPANS.length; wheel++) {
      const span = SPANS[wheel]!
      const block = Math.floor(this.#tick / span)
      for (let distance = 1; distance < SLOTS; distance++) {
        if (this.#heads[wheel * SLOTS + ((block + distance) % SLOTS)] === null) continue
        next = Math.min(next, (block + distance) * span)
        break
      }
    }
    return next
  }

  #advance(): void {
    const now = this.#nowTick()
    if (now < this.#tick - 1) this.#replaceAll(now)
    for (let tick = this.#nextTick(); tick <= now; tick = this.#nextTick()) this.#empty(tick)
    this.#tick = Math.max(this.#tick, now)
    this.#fire()
  }

  /** Moves on to the tick: coarse slots that begin there go to finer wheels, the finest is due. */
  #empty(tick: number): void {
    this.#tick = tick
    for (let wheel = SPANS.length - 1; wheel > 0; wheel--) {
      const span = SPANS[wheel]!
      if (tick % span !== 0) continue
      const slot = wheel * SLOTS + ((tick / span) % SLOTS)
      let entry: WheelEntry | null = this.#heads[slot]!
      this.#heads[slot] = null
      this.#tails[slot] = null
      while (entry !== null) {
        const next: WheelEntry | null = entry.wheelNext
        if (this.#tickOf(entry) > tick) this.#place(entry)
        else this.#link(entry, DUE_LIST)
        entry = next
      }
    }
    const slot = tick % SLOTS
    for (let entry = this.#heads[slot]!; entry !== null; entry = this.#heads[slot]!) {
      this.#unlink(entry)
      this.#link(entry, DUE_LIST)
    }
  }

  #fire(): void {
    const clock = this.#clock
    const { nowMs } = clock
    this.#isFiring = true
    try {
      for (let left = FIRED_MAX; left > 0 && clock.nowMs < nowMs + SLICE_MS; left--) {
        const entry = this.#heads[DUE_LIST]!
        if (entry === null) break
        this.#unlink(entry)
        this.count--
        entry.onDue(nowMs)
        clock.refresh()
      }
    } finally {
      // An entry that throws is a bug; the others have their time all the same if the process goes on.
      this.#isFiring = false
      if (this.#closed) this.#disarm()
      else if (this.#heads[DUE_LIST] !== null) this.#continue()
      else this.#armNext()
    }
  }

  #continue(): void {
    this.#isContinuing = true
    this.#clock.setImmediate(() => {
      this.#isContinuing = false
      if (!this.#closed) this.#advance()
    })
  }

  // ---- slots

  #tickOf(entry: WheelEntry): number {
    return Math.ceil(entry.dueMs / this.#tickMs)
  }

  /**
   * Puts the entry into its slot and returns the tick at which that is emptied. The finest wheel on
   * which it is less than a whole turn away: there, it is at least one slot away.
   */
  #place(entry: WheelEntry): number {
    const current = this.#tick
    const wanted = this.#tickOf(entry)
    // Written so that NaN is "at once".
    const tick = wanted > current ? Math.min(wanted, current + REACH) : current + 1
    let wheel = 0
    let block = tick
    for (let start = current; block - start >= SLOTS && wheel < SPANS.length - 1; wheel++) {
      block = Math.floor(block / SLOTS)
      start = Math.floor(start / SLOTS)
    }
    this.#link(entry, wheel * SLOTS + (block % SLOTS))
    return block * SPANS[wheel]!
  }

  #link(entry: WheelEntry, slot: number): void {
    const tail = this.#tails[slot]!
    entry.wheelSlot = slot
    entry.wheelPrevious = tail
    entry.wheelNext = null
    if (tail === null) this.#heads[slot] = entry
    else tail.wheelNext = entry
    this.#tails[slot] = entry
  }

  #unlink(entry: WheelEntry): void {
    const { wheelSlot, wheelPrevious, wheelNext } = entry
    if (wheelPrevious === null) this.#heads[wheelSlot] = wheelNext
    else wheelPrevious.wheelNext = wheelNext
    if (wheelNext === null) this.#tails[wheelSlot] = wheelPrevious
    else wheelNext.wheelPrevious = wheelPrevious
    entry.wheelSlot = NOT_SCHEDULED
    entry.wheelPrevious = null
    entry.wheelNext = null
  }
}
