import { Script, createContext } from "node:vm"

/**
 * Tests a name with a regular expression that may take exponential time: past the limit it counts as no
 * match, which for permissions is the safe answer. Only a script can be given a time limit, so the test runs
 * as one. Knows nothing of what the expression is for; which ones need it is pattern.ts's to say.
 *
 * The limit is one of wall time. On a busy machine that time may have gone to other programs, which the CPU
 * time of the process tells: then the test is repeated.
 */
export interface WatchdogOptions {
  readonly limitMs: number
  /** Of this process since `before`, or since its start. For tests. */
  readonly cpuUsage?: (before?: NodeJS.CpuUsage) => NodeJS.CpuUsage
}

/** Of a test whose time went to other programs. */
const ATTEMPTS_MAX = 5

export class Watchdog {
  readonly #subject = { regex: /^$/, name: "" }
  readonly #context = createContext(this.#subject)
  readonly #script = new Script("regex.test(name)")
  readonly #limitMs: number
  readonly #cpuUsage: (before?: NodeJS.CpuUsage) => NodeJS.CpuUsage

  constructor({ limitMs, cpuUsage = (before) => process.cpuUsage(before) }: WatchdogOptions) {
    this.#limitMs = limitMs
    this.#cpuUsage = cpuUsage
  }

  test(regex: RegExp, name: string): boolean {
    this.#subject.regex = regex
    this.#subject.name = name
    for (let attempt = 1; ; attempt++) {
      const before = this.#cpuUsage()
      try {
        return this.#script.runInContext(this.#context, { timeout: this.#limitMs }) === true
      } catch (error) {
        // Too slow, or out of stack for backtracking: denying is the safe answer.
        if (attempt === ATTEMPTS_MAX || !this.#hasWaited(error, before)) return false
      }
    }
  }

  /** The time was up, but went to other programs: on a busy machine that denies what is allowed. */
  #hasWaited(error: unknown, before: NodeJS.CpuUsage): boolean {
    const { user, system } = this.#cpuUsage(before)
    return isTimeout(error) && user + system < (this.#limitMs * 1000) / 2
  }
}

/** It is an error of the script's context, so `instanceof Error` does not hold. */
function isTimeout(error: unknown): boolean {
  if (typeof error !== "object" || error === null || !("code" in error)) return false
  return error.code === "ERR_SCRIPT_EXECUTION_TIMEOUT"
}
