import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { useEffect } from "preact/hooks"
import { Banner } from "../components/basics.tsx"
import { clock } from "../core/clock.ts"
import { isConnectionLost } from "../core/api.ts"
import { refreshAll } from "../core/use-poll.ts"

/** What concerns every page: the broker does not answer, or an alarm stops publishers. */
interface Alarm {
  readonly node?: string
  readonly resource: string
  readonly reason?: string
}

interface Health {
  readonly status: string
  readonly alarms?: readonly Alarm[]
}

const CHECK_MS = 10_000

export function Banners(): JSX.Element {
  const alarms = useAlarms()
  return (
    <div class="banners">
      {isConnectionLost.value && (
        <Banner
          tone="warn"
          title="Connection lost."
          action={
            <button type="button" class="link" onClick={refreshAll}>
              Try now
            </button>
          }
        >
          Trying again; what you see is from before.
        </Banner>
      )}
      {alarms.map(({ resource, reason, node }) => (
        <Banner key={`${resource} ${node ?? ""}`} tone="danger" title={`Alarm: ${resource}.`}>
          {reason ?? "Publishers are held up until it is over."}
        </Banner>
      ))}
    </div>
  )
}

/** The check answers 503 with a body while there are alarms, which is no error here. */
function useAlarms(): readonly Alarm[] {
  const alarms = useSignal<readonly Alarm[]>([])
  useEffect(() => {
    let isOver = false
    let timer = { cancel: (): void => {} }
    const ask = async (): Promise<void> => {
      if (!document.hidden)
        try {
          const headers = { "X-Requested-With": "sluice" }
          const response = await fetch("api/health/checks/alarms", { headers, cache: "no-store" })
          const health: Health = await response.json()
          if (!isOver) alarms.value = health.alarms ?? []
        } catch {
          // The other banner says so.
        }
      if (!isOver) timer = clock.setTimer(CHECK_MS, () => void ask())
    }
    void ask()
    return () => {
      isOver = true
      timer.cancel()
    }
  }, [])
  return alarms.value
}
