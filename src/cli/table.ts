/** The table of commands. */
import type { CommandSpec } from "./command.ts"
import { CONNECTION_COMMANDS } from "./commands/connections.ts"
import { DEFINITION_COMMANDS } from "./commands/definitions.ts"
import { EXCHANGE_COMMANDS } from "./commands/exchanges.ts"
import { LINK_COMMANDS } from "./commands/links.ts"
import { MOVE_COMMANDS } from "./commands/moves.ts"
import { OTHER_COMMANDS } from "./commands/others.ts"
import { POLICY_COMMANDS } from "./commands/policies.ts"
import { QUEUE_COMMANDS } from "./commands/queues.ts"
import { HEALTH_COMMANDS, SERVER_COMMANDS } from "./commands/server.ts"
import { ACCESS_COMMANDS } from "./commands/users.ts"
import { VHOST_COMMANDS } from "./commands/vhosts.ts"

export const COMMANDS: readonly CommandSpec[] = [
  ...ACCESS_COMMANDS,
  ...VHOST_COMMANDS,
  ...QUEUE_COMMANDS,
  ...MOVE_COMMANDS,
  ...EXCHANGE_COMMANDS,
  ...POLICY_COMMANDS,
  ...CONNECTION_COMMANDS,
  ...DEFINITION_COMMANDS,
  ...LINK_COMMANDS,
  ...HEALTH_COMMANDS,
  ...SERVER_COMMANDS,
  ...OTHER_COMMANDS,
]

/** By name or alias; of one or two words. */
export function findCommand(words: readonly string[]): {
  readonly command: CommandSpec
  readonly wordCount: number
} | null {
  for (const wordCount of [2, 1]) {
    if (words.length < wordCount) continue
    const name = words.slice(0, wordCount).join(" ")
    const command = COMMANDS.find(
      (one) => one.name === name || one.aliases?.includes(name) === true,
    )
    if (command !== undefined) return { command, wordCount }
  }
  return null
}

/** The names that begin alike, or differ by little; for a question in an error. */
export function similarCommands(name: string): string[] {
  return COMMANDS.map((one) => one.name)
    .filter((known) => known.startsWith(name) || distanceIsSmall(known, name))
    .slice(0, 3)
}

/** One or two letters replaced, added or left out. */
function distanceIsSmall(left: string, right: string): boolean {
  if (Math.abs(left.length - right.length) > 2 || right.length > 64) return false
  let row = Array.from({ length: right.length + 1 }, (_, i) => i)
  for (let i = 1; i <= left.length; i++) {
    const next = [i]
    for (let j = 1; j <= right.length; j++) {
      const cost = left[i - 1] === right[j - 1] ? 0 : 1
      next[j] = Math.min((next[j - 1] ?? 0) + 1, (row[j] ?? 0) + 1, (row[j - 1] ?? 0) + cost)
    }
    row = next
  }
  return (row[right.length] ?? 3) <= 2
}
