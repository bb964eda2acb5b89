/**
 * The shape of the table of commands. Parser, help, completion and docs/sluicectl.md are made from it, so
 * everything that they show is data; only what a command does beyond one request is a function.
 */
import type { Session } from "./session.ts"

export const GROUPS = [
  "Users",
  "Permissions",
  "Virtual hosts",
  "Queues",
  "Exchanges and bindings",
  "Policies",
  "Parameters",
  "Connections",
  "Definitions",
  "Shovels",
  "Federation",
  "Health",
  "Server",
  "Offline",
  "Tool",
  "Without counterpart",
] as const
export type Group = (typeof GROUPS)[number]

export interface ArgumentSpec {
  readonly name: string
  readonly doc: string
  readonly isOptional?: boolean
  /** Takes all that follow; only for the last. */
  readonly isVariadic?: boolean
  readonly choices?: readonly string[]
}

export interface OptionSpec {
  /** As commander reads them: `-p, --vhost <name>`; a switch has no `<…>`. */
  readonly flags: string
  readonly doc: string
  readonly choices?: readonly string[]
  /** The value is a whole number from here on. */
  readonly min?: number
}

export interface Column {
  readonly name: string
  /** Field of the API's rows, with dots for nested ones. Default: the name. */
  readonly field?: string
  readonly doc?: string
}

/** A list of the API, read page by page. */
export interface ListSpec {
  /** As `/api/queues/{vhost}`. */
  readonly path: string
  /** Ends the sentence "Listing …", as `queues for vhost {vhost}`. */
  readonly heading: string
  readonly columns: readonly Column[]
  /** Shown if the command line names none. */
  readonly defaults: readonly string[]
  /** The columns are not chosen by arguments, because the command has others. */
  readonly hasFixedColumns?: boolean
  /** Which items of a page are shown; all without it. */
  rows?(this: void, items: readonly unknown[], session: Session): readonly unknown[]
  /** Fields that `rows` looks at. */
  readonly needs?: readonly string[]
  /** Instead of `path` if the command line names a vhost. */
  readonly vhostPath?: string
}

/** One request that changes something. */
export interface ChangeSpec {
  readonly method: "PUT" | "POST" | "DELETE"
  readonly path: string
  /** Without it the body is empty. */
  body?(this: void, session: Session): unknown
  /** Printed before, unless quiet, as `Deleting user "{user}" ...`. */
  readonly saying: string
}

export interface CommandSpec {
  /** May have two words, as `store check`. */
  readonly name: string
  readonly aliases?: readonly string[]
  readonly group: Group
  /** One sentence without a full stop. */
  readonly summary: string
  /** More sentences, for the help of the command and the documentation. */
  readonly details?: string
  readonly arguments?: readonly ArgumentSpec[]
  readonly options?: readonly OptionSpec[]
  readonly usesVhost?: boolean
  /** What `run` asks of the API, for the documentation. */
  readonly calls?: readonly string[]
  readonly list?: ListSpec
  readonly change?: ChangeSpec
  /** Instead of `list` and `change`, or before them if it checks something. */
  run?(this: void, session: Session): Promise<void> | void
  /** Accepted for scripts, does nothing. */
  readonly isNoOp?: boolean
  /** Known from other products: says why there is no such thing, whatever its options are. */
  readonly isAbsent?: boolean
}

export function isSwitch(option: OptionSpec): boolean {
  return !option.flags.includes("<")
}

/** `--no-table-headers` is `table-headers`, as commander has it. */
export function longName(option: Pick<OptionSpec, "flags">): string {
  return /--(?:no-)?([a-z0-9-]+)/.exec(option.flags)?.[1] ?? ""
}

export function shortFlag(option: Pick<OptionSpec, "flags">): string | null {
  return /^-[a-zA-Z]\b/.exec(option.flags)?.[0] ?? null
}

/** The requests of a command as `GET /api/queues/{vhost}`. */
export function callsOf(command: CommandSpec): readonly string[] {
  const calls = [...(command.calls ?? [])]
  if (command.list !== undefined) calls.push(`GET ${command.list.path}`)
  if (command.change !== undefined) calls.push(`${command.change.method} ${command.change.path}`)
  return calls
}
