import { bytesOf, textOf } from "../../lib/message-body.ts"
import type { BrowsedMessage } from "./types.ts"

/**
 * Search in messages that are looked at, from a position on: so many at most, and so many finds. What was looked
 * through is told, so nobody takes the end of the search for the end of the queue.
 */
export type SearchPlace = "all" | "body" | "headers" | "key"

export const SEARCH_PLACES = [
  ["all", "Everywhere"],
  ["body", "Body"],
  ["headers", "Headers and properties"],
  ["key", "Routing key"],
] as const

/** Messages that one search looks at. */
export const SCANNED_MAX = 10_000
const FOUND_MAX = 200
const PAGE_SIZE = 500
/** Of each body. */
export const SEARCHED_BODY_BYTES = 16 << 10

export function matches(message: BrowsedMessage, text: string, place: SearchPlace): boolean {
  const wanted = text.toLowerCase()
  const has = (value: string): boolean => value.toLowerCase().includes(wanted)
  if ((place === "all" || place === "key") && has(message.routing_key)) return true
  if (place === "all" && has(message.exchange)) return true
  if ((place === "all" || place === "headers") && has(JSON.stringify(message.properties)))
    return true
  return (place === "all" || place === "body") && has(bodyText(message))
}

function bodyText(message: BrowsedMessage): string {
  if (message.payload_encoding === "string") return message.payload
  return textOf(bytesOf(message)) ?? ""
}

export interface Scan {
  readonly found: readonly BrowsedMessage[]
  readonly scannedCount: number
  /** Where a search goes on. */
  readonly nextIndex: number
  /** All messages from the start on were looked at. */
  readonly isComplete: boolean
}

export type LoadPage = (index: number, count: number) => Promise<readonly BrowsedMessage[]>

export interface ScanOptions {
  readonly start: number
  readonly text: string
  readonly place: SearchPlace
  readonly isStopped: () => boolean
  readonly onProgress: (scan: Scan) => void
}

export async function scan(load: LoadPage, options: ScanOptions): Promise<Scan> {
  const { start, text, place, isStopped, onProgress } = options
  const found: BrowsedMessage[] = []
  let nextIndex = start
  let scannedCount = 0
  let isComplete = false
  while (scannedCount < SCANNED_MAX && found.length < FOUND_MAX && !isStopped()) {
    const page = await load(nextIndex, PAGE_SIZE)
    for (const message of page) {
      scannedCount++
      nextIndex = message.index + 1
      if (matches(message, text, place)) found.push(message)
      if (found.length >= FOUND_MAX) break
    }
    isComplete = page.length === 0
    onProgress({ found: [...found], scannedCount, nextIndex, isComplete })
    if (isComplete) break
  }
  return { found, scannedCount, nextIndex, isComplete }
}
