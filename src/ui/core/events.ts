import { useEffect, useRef } from "preact/hooks"
import { get, isConnectionLost } from "./api.ts"
import { clock } from "./clock.ts"
import { user } from "./session.ts"

/**
 * Server-sent events of a path of the API while the component is on screen. When the stream breaks off the
 * browser connects again by itself; where the broker refuses (the session is over, too many listen), it is
 * opened anew after a while, and at once after a login.
 */
export interface EventHandlers {
  readonly onEvent: (data: string, id: string) => void
  /** Anew: from the beginning; else the broker goes on behind the last event. */
  readonly onOpen?: (isAnew: boolean) => void
  readonly onLost?: () => void
}

const RETRY_MS = 3000
const RETRY_MAX_MS = 30_000

export function useEvents(path: string | null, handlers: EventHandlers): void {
  const latest = useRef(handlers)
  latest.current = handlers
  const who = user.value
  useEffect(() => {
    if (path === null) return undefined
    const stream = new EventStream(`api/${path}`, latest)
    stream.open()
    return () => stream.close()
  }, [path, who])
}

class EventStream {
  readonly #url: string
  readonly #latest: { readonly current: EventHandlers }
  #source: EventSource | null = null
  #timer = { cancel: (): void => {} }
  #retryMs = RETRY_MS

  constructor(url: string, latest: { readonly current: EventHandlers }) {
    this.#url = url
    this.#latest = latest
  }

  open(): void {
    const source = new EventSource(this.#url)
    this.#source = source
    let isAnew = true
    source.addEventListener("open", () => {
      isConnectionLost.value = false
      this.#retryMs = RETRY_MS
      this.#latest.current.onOpen?.(isAnew)
      isAnew = false
    })
    source.addEventListener("message", ({ data, lastEventId }: MessageEvent<string>) =>
      this.#latest.current.onEvent(data, lastEventId),
    )
    source.addEventListener("error", () => this.#lost(source))
  }

  #lost(source: EventSource): void {
    this.#latest.current.onLost?.()
    // An event tells no reason: this question finds out whether the broker is gone, or the session over.
    get("whoami").catch(() => {})
    if (source.readyState !== EventSource.CLOSED || this.#source !== source) return
    this.#timer.cancel()
    this.#timer = clock.setTimer(this.#retryMs, () => this.open())
    this.#retryMs = Math.min(2 * this.#retryMs, RETRY_MAX_MS)
  }

  close(): void {
    this.#timer.cancel()
    this.#source?.close()
    this.#source = null
  }
}
