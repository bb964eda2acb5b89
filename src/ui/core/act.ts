import { ApiError, isAbort, messageOf } from "./api.ts"
import { toast } from "./toasts.ts"
import { refreshAll } from "./use-poll.ts"

/** Runs a change, tells how it went, and asks for news. False if it failed; the reason is on screen then. */
export async function act(change: () => Promise<unknown>, done: string): Promise<boolean> {
  try {
    await change()
    toast("success", done)
    refreshAll()
    return true
  } catch (error) {
    // The login form comes by itself.
    if (!isAbort(error) && !(error instanceof ApiError && error.isSessionOver))
      toast("error", messageOf(error))
    return false
  }
}

export interface BulkResult {
  readonly doneCount: number
  readonly failures: readonly string[]
}

const AT_ONE_TIME = 6

/** The same for many things, some at one time. Stops asking when the broker is gone. */
export async function actOnAll<T>(
  items: readonly T[],
  change: (item: T) => Promise<unknown>,
): Promise<BulkResult> {
  const queue = [...items]
  const failures: string[] = []
  let doneCount = 0
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
      try {
        await change(item)
        doneCount++
      } catch (error) {
        failures.push(messageOf(error))
        if (error instanceof ApiError && (error.isNetwork || error.isSessionOver)) queue.length = 0
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONE_TIME }, () => worker()))
  refreshAll()
  return { doneCount, failures }
}
