import { preference } from "./preferences.ts"

/** How often pages ask for news. 0 is off: then the button of the header asks. */
export const INTERVALS: readonly (readonly [ms: number, label: string])[] = [
  [1000, "1 s"],
  [5000, "5 s"],
  [30_000, "30 s"],
  [0, "off"],
]

export const refreshMs = preference("refresh", 5000)
