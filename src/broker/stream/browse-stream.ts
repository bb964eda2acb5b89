import { BrowseBudget, COUNT_MAX } from "../browse.ts"
import type { BrowsedMessage, BrowseRequest } from "../browse.ts"
import type { Stream } from "./stream.ts"

/**
 * A look at the messages of a stream from an offset on, for the management: within the bounds of
 * browse.ts, without a consumer. The index of a message is its offset.
 */
export interface StreamBrowseRequest extends Omit<BrowseRequest, "skip"> {
  /** Below the first one it begins there. */
  readonly offset: number
}

export function browseStream(stream: Stream, request: StreamBrowseRequest): BrowsedMessage[] {
  const { offset, ...bounds } = request
  const found: BrowsedMessage[] = []
  const budget = new BrowseBudget({ ...bounds, skip: 0, limit: Math.min(bounds.limit, COUNT_MAX) })
  if (budget.isSpent) return found
  stream.browseFrom(offset, (message) => {
    found.push(budget.take(message, message.addedValue, "ready"))
    return !budget.isSpent
  })
  return found
}
