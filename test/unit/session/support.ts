/** What the tests of the session share: the seed, and a byte stream under the hand of the test. */
import type { Transport } from "../../../src/session/transport.ts"
import { chooseSeed } from "../../support/seed.ts"

/** For fc.assert: the printed seed, and a number of runs that takes well under a second. */
export const RUNS = { numRuns: 300, seed: chooseSeed("session") | 0 } as const

/** Takes what is written. The test decides when the kernel has taken it. */
export class FakeTransport implements Transport {
  readonly remoteAddress = "127.0.0.1"
  readonly remotePort = 50_000
  readonly localAddress = "127.0.0.1"
  readonly localPort = 5672
  /** Views as they were written: their memory may be reused once their callback was called. */
  readonly writes: Uint8Array[] = []
  /** Copies of all that was written. */
  readonly sent: Buffer[] = []
  readonly callbacks: (() => void)[] = []
  corkCount = 0
  isPaused = false
  isEnded = false
  isDestroyed = false
  /** The kernel has room: what is written is sent by then, as long as nothing waits before it. */
  takesAtOnce = false

  get writableLength(): number {
    return this.takesAtOnce && this.callbacks.length === 0 ? 0 : 1
  }

  write(bytes: Uint8Array, done?: () => void): void {
    if (bytes.length > 0) {
      this.writes.push(bytes)
      this.sent.push(Buffer.from(bytes))
    }
    if (done !== undefined) this.callbacks.push(done)
  }

  /** Reports the oldest `count` writes as done. */
  complete(count = this.callbacks.length): void {
    for (const done of this.callbacks.splice(0, count)) done()
  }

  cork(): void {
    this.corkCount++
  }

  uncork(): void {
    this.corkCount--
  }

  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    this.isPaused = false
  }

  end(): void {
    this.isEnded = true
  }

  destroy(): void {
    this.isDestroyed = true
  }

  /** All bytes since the last call. */
  takeSent(): Buffer {
    this.writes.length = 0
    return Buffer.concat(this.sent.splice(0))
  }
}
