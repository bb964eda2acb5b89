import { Script, createContext } from "node:vm"
import { AuthError } from "./errors.ts"

/**
 * A permission's regular expression: searched anywhere in a name, as RabbitMQ does; the empty one
 * means `^$`. Operators write them in PCRE, so what JavaScript reads differently is translated or
 * refused, never silently misunderstood.
 *
 * A pattern can take exponential time (`(a+)+$`). Its length is bounded, and a pattern with more than
 * a few repetitions runs under a watchdog: past TEST_MS_MAX it counts as no match. That costs 0.2 ms
 * a test (against 0.0002), so callers keep the verdicts (permissions.ts).
 */
export const PATTERN_SIZE_MAX = 4_096
export const TEST_MS_MAX = 20

/** Letters that mean the same after a backslash in PCRE and JavaScript. */
const SHARED_ESCAPES = "dDwWsSbBnrtfvxu"

/** With at most two repetitions, not of groups, a name of 255 bytes takes at most some ms. */
const UNGUARDED_REPETITION_COUNT_MAX = 2

export class Pattern {
  readonly source: string
  readonly #regex: RegExp
  /** A test costs 0.2 ms, and up to TEST_MS_MAX if it comes to nothing. */
  readonly isGuarded: boolean

  /** Throws AuthError if the expression is malformed, too long or means something else here. */
  constructor(source: string) {
    if (source.length > PATTERN_SIZE_MAX)
      throw new AuthError(`regular expression is longer than ${PATTERN_SIZE_MAX} characters`)
    this.source = source
    this.#regex = compile(source)
    this.isGuarded = needsGuard(source)
  }

  test(name: string): boolean {
    return this.isGuarded ? testGuarded(this.#regex, name) : this.#regex.test(name)
  }
}

function compile(source: string): RegExp {
  if (source === "") return /^$/
  const isCaseless = source.startsWith("(?i)")
  const body = translate(isCaseless ? source.slice(4) : source)
  try {
    return new RegExp(body, isCaseless ? "i" : "")
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new AuthError(`invalid regular expression '${source}': ${reason}`, { cause: error })
  }
}

/** Turns \A, \z and \Z into anchors and refuses the escapes and classes that JavaScript lacks. */
function translate(source: string): string {
  if (source.includes("[[:"))
    throw new AuthError(
      `invalid regular expression '${source}': no POSIX classes such as [[:alpha:]]`,
    )
  return source.replaceAll(/\\([\s\S])/g, (escape, letter: string) => {
    if (letter === "A") return "^"
    if (letter === "z" || letter === "Z") return "$"
    if (!/[A-Za-z]/.test(letter) || SHARED_ESCAPES.includes(letter)) return escape
    throw new AuthError(`invalid regular expression '${source}': ${escape} is not supported`)
  })
}

function needsGuard(source: string): boolean {
  // Escapes and classes stand for one character each; `(?:` and the like are no repetitions.
  const skeleton = source
    .replaceAll(/\\[\s\S]/g, "x")
    .replaceAll(/\[\^?\]?[^\]]*\]/g, "x")
    .replaceAll("(?", "(")
  if (/\)[*+?{]/.test(skeleton) || /\\[1-9]/.test(source)) return true
  return (skeleton.match(/[*+?{]/g)?.length ?? 0) > UNGUARDED_REPETITION_COUNT_MAX
}

function testGuarded(regex: RegExp, name: string): boolean {
  watchdog ??= new Watchdog()
  return watchdog.test(regex, name)
}

/** Only a script can be given a time limit, so the test runs as one. It keeps nothing of it. */
class Watchdog {
  readonly #subject = { regex: /^$/, name: "" }
  readonly #context = createContext(this.#subject)
  readonly #script = new Script("regex.test(name)")

  test(regex: RegExp, name: string): boolean {
    this.#subject.regex = regex
    this.#subject.name = name
    try {
      return this.#script.runInContext(this.#context, { timeout: TEST_MS_MAX }) === true
    } catch {
      return false // Too slow, or out of stack for backtracking: denying is the safe answer.
    }
  }
}

/** Made with the first pattern that needs it: it takes a millisecond that a start can save. */
let watchdog: Watchdog | null = null
