import { useEffect, useRef } from "preact/hooks"
import { isConnectionLost } from "./api.ts"

/**
 * Server-sent events of a path of the API while the component is on screen. The browser connects again by
 * itself; `onOpen` says when, so that a page can ask for what it has missed.
 */
export interface EventHandlers {
  readonly onEvent: (data: string, id: string) => void
  readonly onOpen?: () => void
  readonly onLost?: () => void
}

export function useEvents(path: string | null, handlers: EventHandlers): void {
  const latest = useRef(handlers)
  latest.current = handlers
  useEffect(() => {
    if (path === null) return undefined
    const source = new EventSource(`api/${path}`)
    source.addEventListener("open", () => {
      isConnectionLost.value = false
      latest.current.onOpen?.()
    })
    source.addEventListener("message", ({ data, lastEventId }: MessageEvent<string>) =>
      latest.current.onEvent(data, lastEventId),
    )
    source.addEventListener("error", () => latest.current.onLost?.())
    return () => source.close()
  }, [path])
}
