/** What a callback has received so far, and waiting for more of it in bounded time. */
import { within } from "./eventually.ts"

export class Inbox<T> {
  readonly items: T[] = []
  #taken = 0
  #wake: (() => void) | null = null

  /** The callback to hand out. */
  readonly push = (item: T): void => {
    this.items.push(item)
    this.#wake?.()
  }

  /** The next `count` items, in order of arrival. */
  async take(count: number, timeoutMs = 10_000): Promise<T[]> {
    const enough = async (): Promise<void> => {
      while (this.items.length < this.#taken + count)
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
    }
    const what = (): string =>
      `${String(this.items.length - this.#taken)} of ${String(count)} items`
    await within(enough(), "items", timeoutMs).catch((error: unknown) => {
      throw new Error(what(), { cause: error })
    })
    const start = this.#taken
    this.#taken += count
    return this.items.slice(start, this.#taken)
  }

  async next(timeoutMs = 10_000): Promise<T> {
    const [item] = await this.take(1, timeoutMs)
    return item!
  }
}
