import { AuthError } from "./errors.ts"
import { Watchdog } from "./watchdog.ts"

/**
 * A permission's regular expression: searched anywhere in a name, as RabbitMQ does; the empty one
 * means `^$`. Operators write them in PCRE, so what JavaScript reads differently is translated or
 * refused, never silently misunderstood.
 *
 * A pattern can take exponential time (`(a+)+$`, `(a|a)(a|a)(a|a)…`). Its length is bounded, and a pattern
 * with more than a few repetitions and choices runs under a watchdog: past TEST_MS_MAX it counts as no
 * match. That costs 0.2 ms a test (against 0.0002), so callers keep the verdicts (permissions.ts).
 */
export const PATTERN_SIZE_MAX = 4_096
export const TEST_MS_MAX = 20

/** Letters that mean the same after a backslash in PCRE and JavaScript. */
const SHARED_ESCAPES = "dDwWsSbBnrtfvxu"

/**
 * Ways to try a name of 255 bytes, at most, without the watchdog: some ms. As many as two repetitions
 * make, with a choice of four; or one repetition with a thousand choices.
 */
const UNGUARDED_WAYS_MAX = 4 * 256 ** 2

export class Pattern {
  readonly source: string
  readonly #regex: RegExp
  /** A test costs 0.2 ms, and up to TEST_MS_MAX if it comes to nothing. */
  readonly isGuarded: boolean
  /** Ways to try a name of 255 bytes, at most. */
  readonly ways: number

  /** Throws AuthError if the expression is malformed, too long or means something else here. */
  constructor(source: string) {
    if (source.length > PATTERN_SIZE_MAX)
      throw new AuthError(`regular expression is longer than ${PATTERN_SIZE_MAX} characters`)
    this.source = source
    const isCaseless = source.startsWith("(?i)")
    const reader = new PatternReader(source, isCaseless ? 4 : 0)
    this.#regex = compile(source, reader.body, isCaseless)
    this.ways = reader.ways
    this.isGuarded = reader.ways > UNGUARDED_WAYS_MAX
  }

  /** Without the watchdog. */
  get regex(): RegExp {
    return this.#regex
  }

  test(name: string): boolean {
    return this.isGuarded ? testGuarded(this.#regex, name) : this.#regex.test(name)
  }
}

function compile(source: string, body: string, isCaseless: boolean): RegExp {
  try {
    return source === "" ? /^$/ : new RegExp(body, isCaseless ? "i" : "")
  } catch (error) {
    throw invalid(source, error instanceof Error ? error.message : String(error), error)
  }
}

function invalid(source: string, reason: string, cause?: unknown): AuthError {
  return new AuthError(`invalid regular expression '${source}': ${reason}`, { cause })
}

/**
 * Reads an expression once. Turns \A, \z, \Z and `[]…]` into what they are in JavaScript and refuses the
 * escapes and classes that JavaScript lacks. Counts on the way in how many ways it could be tried, at
 * most: a repetition has as many as a name has characters, a group as many as it has alternatives.
 */
class PatternReader {
  /** In JavaScript. */
  body = ""
  /** Infinity if it can be exponential in the length of the name. */
  ways = 1
  readonly #source: string
  /** Alternatives of the groups that are open. */
  readonly #groups: number[] = []
  #at: number

  constructor(source: string, start: number) {
    this.#source = source
    this.#at = start
    while (this.#at < source.length) this.#take(this.#length())
  }

  #take(count: number): void {
    this.body += this.#source.slice(this.#at, this.#at + count)
    this.#at += count
  }

  /** Of what begins here and is taken over as it is. */
  #length(): number {
    switch (this.#source.charAt(this.#at)) {
      case "\\":
        return this.#escape(false)
      case "[":
        return this.#class()
      case "(":
        this.#groups.push(1)
        return this.#source[this.#at + 1] === "?" ? 2 : 1 // No repetition.
      case "|":
        if (this.#groups.length > 0) this.#groups[this.#groups.length - 1]!++
        return 1
      case ")":
        this.ways *= this.#groups.pop() ?? 1
        if (/^[*+?{]/.test(this.#source.slice(this.#at + 1, this.#at + 2))) this.ways = Infinity
        return 1
      case "*":
      case "+":
      case "?":
      case "{":
        this.ways *= 256
        return 1
      default:
        return 1
    }
  }

  /** Up to the bracket that closes it. */
  #class(): number {
    const source = this.#source
    if (source.startsWith("[[:", this.#at))
      throw invalid(source, "no POSIX classes such as [[:alpha:]]")
    this.#take(source[this.#at + 1] === "^" ? 2 : 1)
    // The first one does not close it.
    if (source[this.#at] === "]") this.body += "\\"
    do this.#take(source[this.#at] === "\\" ? this.#escape(true) : 1)
    while (this.#at < source.length && source[this.#at] !== "]")
    return 1
  }

  #escape(isInClass: boolean): number {
    const letter = this.#source[this.#at + 1] ?? ""
    if (/[1-9]/.test(letter)) this.ways = Infinity
    if (!/[A-Za-z]/.test(letter) || SHARED_ESCAPES.includes(letter)) return 2
    const anchor = letter === "A" ? "^" : letter === "z" || letter === "Z" ? "$" : ""
    if (anchor === "" || isInClass) throw invalid(this.#source, `\\${letter} is not supported`)
    this.body += anchor
    this.#at += 2
    return 0
  }
}

/** Made with the first pattern that needs it: it takes a millisecond that a start can save. */
let watchdog: Watchdog | null = null

function testGuarded(regex: RegExp, name: string): boolean {
  watchdog ??= new Watchdog({ limitMs: TEST_MS_MAX })
  return watchdog.test(regex, name)
}
