import { AuthError } from "../../auth/errors.ts"
import { Pattern, TEST_MS_MAX } from "../../auth/pattern.ts"
import type { Clock } from "../../util/clock.ts"
import { Refusal } from "../errors.ts"

/**
 * The regular expression of a policy: searched anywhere in a name; the empty one is in every name. Written
 * in PCRE, with the limits of auth/pattern.ts.
 *
 * Most expressions take less than a microsecond. Those that could take long run under a watchdog that
 * costs 0.2 ms, so their verdicts are kept. One that runs into the watchdog three times in a row would
 * hold the broker up with every queue that is declared: it is given up and matches nothing from then on.
 */
const VERDICTS_MAX = 131_072
const TIMEOUTS_MAX = 3

export class PolicyPattern {
  readonly source: string
  readonly #pattern: Pattern | null
  readonly #clock: Clock
  readonly #verdicts = new Map<string, boolean>()
  /** In a row. */
  #timeoutCount = 0
  readonly #onGivenUp: () => void

  /** Throws Refusal if the expression cannot be used. */
  constructor(source: string, clock: Clock, onGivenUp: () => void) {
    this.source = source
    this.#clock = clock
    this.#onGivenUp = onGivenUp
    try {
      this.#pattern = source === "" ? null : new Pattern(source)
    } catch (error) {
      if (!(error instanceof AuthError)) throw error
      throw new Refusal("precondition-failed", error.message)
    }
  }

  test(name: string): boolean {
    const pattern = this.#pattern
    if (pattern === null) return true
    if (!pattern.isGuarded) return pattern.test(name)
    if (this.#timeoutCount >= TIMEOUTS_MAX) return false
    const known = this.#verdicts.get(name)
    if (known !== undefined) return known
    const verdict = this.#testSlow(pattern, name)
    if (this.#verdicts.size >= VERDICTS_MAX) this.#verdicts.clear()
    this.#verdicts.set(name, verdict)
    return verdict
  }

  /** On a busy machine a good expression may run into the watchdog, too: it is tried again. */
  #testSlow(pattern: Pattern, name: string): boolean {
    while (this.#timeoutCount < TIMEOUTS_MAX) {
      this.#clock.refresh()
      const startMs = this.#clock.nowMs
      const verdict = pattern.test(name)
      this.#clock.refresh()
      // The clock counts whole milliseconds.
      if (verdict || this.#clock.nowMs - startMs < TEST_MS_MAX - 1) {
        this.#timeoutCount = 0
        return verdict
      }
      this.#timeoutCount++
    }
    this.#onGivenUp()
    return false
  }
}
