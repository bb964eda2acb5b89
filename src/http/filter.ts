import { Script, createContext } from "node:vm"
import { badRequest } from "./errors.ts"

/**
 * The filter of a list by name: a part of it, or a regular expression. An expression can take
 * exponential time, and only a script can be given a time limit, so names are tested in batches by one.
 */
export interface Filter {
  /** Which of the names it accepts. Throws bad_request if that takes too long. */
  test(names: readonly string[]): readonly boolean[]
}

/** Names that are tested at one time. */
export const BATCH_SIZE = 256

const SIZE_MAX = 1000
/** A batch takes a fraction of a millisecond. */
const BATCH_MS_MAX = 20
/** On a busy machine a good expression may run into the limit, too. */
const ATTEMPTS = 2

export function substringFilter(text: string): Filter {
  return { test: (names) => names.map((name) => name.includes(text)) }
}

/** Throws bad_request for an expression that is none. */
export function regexFilter(source: string): Filter {
  if (source.length > SIZE_MAX) throw badRequest("the regular expression is too long")
  let regex: RegExp
  try {
    regex = new RegExp(source)
  } catch (error) {
    throw badRequest(error instanceof Error ? error.message : "invalid regular expression")
  }
  const subject: { regex: RegExp; names: readonly string[] } = { regex, names: [] }
  const context = createContext(subject)
  const script = new Script("names.map((name) => regex.test(name))")
  return {
    test(names) {
      subject.names = names
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        try {
          const verdicts: unknown = script.runInContext(context, { timeout: BATCH_MS_MAX })
          if (Array.isArray(verdicts)) return verdicts.map((verdict) => verdict === true)
        } catch {
          // Too slow, or out of stack for backtracking: the second attempt decides.
        }
      }
      throw badRequest("the regular expression takes too long")
    },
  }
}
