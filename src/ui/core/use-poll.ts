import { signal } from "@preact/signals"
import type { ReadonlySignal, Signal } from "@preact/signals"
import { useLayoutEffect, useMemo } from "preact/hooks"
import { Poller } from "../lib/poller.ts"
import type { PollState } from "../lib/poller.ts"
import { ApiError, get } from "./api.ts"
import { clock } from "./clock.ts"
import { refreshMs } from "./refresh.ts"
import { user } from "./session.ts"

/**
 * `const queues = usePoll<Queue[]>("queues")`: the answer of a path, kept fresh while the component is on
 * screen and the tab is visible. Components that ask for the same path share one poll.
 */
export interface PollOptions {
  /** Instead of the header's choice; 0 asks once. */
  readonly intervalMs?: number
  /** Sent as x-vhost, for the overview of one vhost; "" is all. */
  readonly vhost?: string
}

export interface Poll<T> {
  readonly state: ReadonlySignal<PollState<T>>
  /** Shorthand; subscribes the component. */
  readonly data: T | null
  readonly error: unknown
  refresh(): void
}

const EMPTY: PollState<never> = { data: null, error: null, receivedMs: 0 }

class SharedPoll<T> implements Poll<T> {
  readonly state: Signal<PollState<T>> = signal<PollState<T>>(EMPTY)
  userCount = 0
  readonly poller: Poller<T>

  constructor(path: string, options: PollOptions) {
    this.poller = new Poller<T>({
      clock,
      load: (abort) => get<T>(path, { signal: abort, headers: vhostHeader(options.vhost) }),
      intervalMs: () => options.intervalMs ?? refreshMs.peek(),
      onChange: (state) => {
        this.state.value = state
      },
      // "No such queue" stays so until somebody asks again; a login puts a 401 right.
      isTemporary: (error) =>
        !(error instanceof ApiError) ||
        error.isNetwork ||
        error.status >= 500 ||
        error.status === 429,
    })
  }

  get data(): T | null {
    return this.state.value.data
  }

  get error(): unknown {
    return this.state.value.error
  }

  refresh(): void {
    this.poller.refresh()
  }
}

function vhostHeader(vhost = ""): Readonly<Record<string, string>> {
  return vhost === "" ? {} : { "x-vhost": encodeURIComponent(vhost) }
}

const active = new Map<string, SharedPoll<unknown>>()

const NOTHING: Poll<never> = { state: signal(EMPTY), data: null, error: null, refresh: () => {} }

/** Null asks nothing. */
export function usePoll<T>(path: string | null, options: PollOptions = {}): Poll<T> {
  const { intervalMs, vhost = "" } = options
  const key = `${path ?? ""} ${String(intervalMs ?? "")} ${vhost}`
  const poll = useMemo(() => {
    if (path === null) return null
    const known = active.get(key)
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- A path has one type.
    if (known !== undefined) return known as SharedPoll<T>
    return new SharedPoll<T>(path, options)
  }, [key])
  // Asked before the browser paints, not after it.
  useLayoutEffect(() => {
    if (poll === null) return undefined
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Only kept here.
    const shared = poll as SharedPoll<unknown>
    active.set(key, shared)
    poll.userCount++
    poll.poller.pause(document.hidden)
    poll.poller.start()
    return () => {
      poll.userCount--
      if (poll.userCount > 0) return
      poll.poller.stop()
      if (active.get(key) === shared) active.delete(key)
    }
  }, [poll])
  return poll ?? NOTHING
}

/** After a change, and for the button of the header. */
export function refreshAll(): void {
  for (const { poller } of active.values()) poller.refresh()
}

export function startPolling(): void {
  document.addEventListener("visibilitychange", () => {
    for (const { poller } of active.values()) poller.pause(document.hidden)
  })
  addEventListener("online", refreshAll)
  refreshMs.subscribe(() => {
    for (const { poller } of active.values()) poller.reschedule()
  })
  user.subscribe((who) => {
    if (who !== null && who !== undefined) refreshAll()
  })
}
