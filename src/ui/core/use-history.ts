import { useRef } from "preact/hooks"
import { History } from "../lib/history.ts"
import type { Sample } from "../lib/history.ts"
import { samplesOf } from "../lib/samples.ts"
import { usePoll } from "./use-poll.ts"

/**
 * Samples for charts: first those that the broker has kept (`seedPath` is asked once), then what the page sees.
 * A page shows nothing of them before the first answer is there or has failed.
 */
export interface HistoryOptions {
  readonly kind: "rate" | "gauge"
  /** With the parameters of lib/samples.ts. */
  readonly seedPath: string
  readonly fields: readonly string[]
  readonly values: Readonly<Record<string, unknown>>
  readonly receivedMs: number
  /** Of the answer: where the fields are. */
  readonly pick?: (seed: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>
}

export function useHistory(options: HistoryOptions): readonly Sample[] {
  const { kind, seedPath, fields, values, receivedMs, pick = (seed) => seed } = options
  const seed = usePoll<Readonly<Record<string, unknown>>>(seedPath, { intervalMs: 0 }).state.value
  const history = useRef<History | null>(null)
  if (history.current === null && (seed.data !== null || seed.error !== null)) {
    history.current = new History(kind)
    const known = seed.data === null ? [] : samplesOf(pick(seed.data), fields)
    for (const { timeMs, values: sample } of known) history.current.push(timeMs, sample)
  }
  history.current?.push(
    receivedMs,
    fields.map((field) => {
      const value = values[field]
      return typeof value === "number" ? value : null
    }),
  )
  return history.current?.samples ?? []
}
