import { Script, createContext } from "node:vm"
import { AuthError } from "../auth/errors.ts"
import { Pattern } from "../auth/pattern.ts"
import { badRequest } from "./errors.ts"

/**
 * The filter of a list by name: a part of it, or a regular expression, read as those of permissions are.
 * An expression can take exponential time. A simple one cannot, which its form tells (auth/pattern.ts); the
 * others run as a script, because only a script can be given a time limit, over batches of names.
 */
export interface Filter {
  /** Null for an expression that must be tested in batches, with a time limit. */
  readonly accepts: ((name: string) => boolean) | null
  /** Which of the names it accepts. Null if that took too long; the next attempt may have more luck. */
  test(names: readonly string[]): readonly boolean[] | null
}

/** Names that are tested at one time. */
export const BATCH_SIZE = 256
/** On a busy machine a good expression may run into the limit, too. */
export const ATTEMPTS = 3

const SIZE_MAX = 1000
/** A batch takes a fraction of a millisecond. */
const BATCH_MS_MAX = 6
/** Steps that a name of 255 bytes can take without the limit: a batch of them stays below a millisecond. */
const UNLIMITED_WAYS_MAX = 1024

export function substringFilter(text: string): Filter {
  return simple((name) => name.includes(text))
}

/** Throws bad_request for an expression that is none. */
export function regexFilter(source: string): Filter {
  if (source.length > SIZE_MAX) throw badRequest("the regular expression is too long")
  try {
    const pattern = new Pattern(source)
    if (pattern.ways <= UNLIMITED_WAYS_MAX) return simple((name) => pattern.test(name))
    return limited(pattern.regex)
  } catch (error) {
    throw badRequest(error instanceof AuthError ? error.message : "invalid regular expression")
  }
}

function simple(accepts: (name: string) => boolean): Filter {
  return { accepts, test: (names) => names.map(accepts) }
}

function limited(regex: RegExp): Filter {
  const subject: { regex: RegExp; names: readonly string[] } = { regex, names: [] }
  const context = createContext(subject)
  const script = new Script("names.map((name) => regex.test(name))")
  return {
    accepts: null,
    test(names) {
      subject.names = names
      try {
        const verdicts: unknown = script.runInContext(context, { timeout: BATCH_MS_MAX })
        return Array.isArray(verdicts) ? verdicts.map((verdict) => verdict === true) : null
      } catch {
        return null // Too slow, or out of stack for backtracking.
      }
    },
  }
}
