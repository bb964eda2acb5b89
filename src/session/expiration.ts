import { Refusal } from "../broker/errors.ts"

/** Ten years, RabbitMQ's ceiling for every time to live. */
const EXPIRATION_MAX_MS = 315_360_000_000

/** Refuses an `expiration` property that is not a plain decimal number of milliseconds (RabbitMQ's rule and texts). */
export function checkExpiration(text: string): void {
  const digits = /^\d+/.exec(text)?.[0] ?? ""
  let reason = ""
  if (digits === "") reason = /^-\d+$/.test(text) ? `{value_negative,${text}}` : "no_integer"
  else if (digits.length < text.length) reason = `{leftover_string,"${text.slice(digits.length)}"}`
  else if (Number(digits) > EXPIRATION_MAX_MS) reason = `{value_too_big,${digits}}`
  if (reason !== "")
    throw new Refusal("precondition-failed", `invalid expiration '${text}': ${reason}`)
}
