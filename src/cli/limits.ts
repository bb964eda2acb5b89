/** Sets and clears the limits of a user or vhost, whose names and values come as JSON. */
import { CliError, EXIT } from "./exit-codes.ts"
import { parseObject } from "./json.ts"
import { segment } from "./session.ts"
import type { Session } from "./session.ts"

/** Reads `{"max-connections":10}` and sets each of them; without any, or with bad ones, nothing is sent. */
export async function setLimits(
  session: Session,
  path: string,
  known: readonly string[],
): Promise<void> {
  const limits = parseObject(session.values.text("definition"), "the limits")
  const names = Object.keys(limits)
  if (names.length === 0) throw new CliError(EXIT.data, `${known.join(" or ")} required`)
  for (const name of names) {
    if (!known.includes(name))
      throw new CliError(EXIT.data, `there is no limit '${name}' (${known.join(", ")})`)
    if (!Number.isSafeInteger(limits[name]))
      throw new CliError(EXIT.data, `the limit ${name} is no whole number`)
  }
  for (const name of names)
    await session.api.request("PUT", `${path}/${segment(name)}`, { body: { value: limits[name] } })
}

export async function clearLimits(
  session: Session,
  path: string,
  known: readonly string[],
): Promise<void> {
  const given = session.values.optional("limit") ?? "all"
  for (const name of given === "all" ? known : [given])
    await session.api.request("DELETE", `${path}/${segment(name)}`)
}
