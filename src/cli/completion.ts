/** Scripts that complete commands and options in bash, zsh and fish, made from the table. They ask no broker. */
import type { CommandSpec } from "./command.ts"
import { usageError } from "./exit-codes.ts"
import { GLOBAL_COMMAND_FLAGS, GLOBAL_OPTIONS } from "./global-options.ts"
import { longFlags } from "./help.ts"
import { COMMANDS } from "./table.ts"

const GLOBAL_FLAGS = longFlags([...GLOBAL_OPTIONS, ...GLOBAL_COMMAND_FLAGS])

export function completionScript(shell: string): string {
  if (shell === "bash") return bash()
  if (shell === "zsh") return zsh()
  if (shell === "fish") return fish()
  throw usageError(`there is no completion for '${shell}'`)
}

function offered(): readonly CommandSpec[] {
  return COMMANDS.filter(({ isAbsent }) => isAbsent !== true)
}

/** The first words, each once. */
function firstWords(): string[] {
  return [...new Set(offered().map(({ name }) => name.split(" ")[0] ?? ""))].toSorted()
}

/** Second words of commands that have two, by the first. */
function secondWords(): Map<string, string[]> {
  const words = new Map<string, string[]>()
  for (const { name, aliases } of offered())
    for (const full of [name, ...(aliases ?? [])]) {
      const [first = "", second] = full.split(" ")
      if (second !== undefined) words.set(first, [...(words.get(first) ?? []), second])
    }
  return words
}

/** What may stand behind a command: options, columns of lists, values of the first argument. */
function candidates(command: CommandSpec): string[] {
  return [
    ...longFlags(command.options ?? []),
    ...(command.list?.columns ?? []).map(({ name }) => name),
    ...(command.arguments?.[0]?.choices ?? []),
  ]
}

function bash(): string {
  const cases: string[] = []
  for (const [first, second] of secondWords())
    cases.push(`    ${first}) words="${second.join(" ")}" ;;`)
  const known = new Set(secondWords().keys())
  for (const command of offered()) {
    const words = candidates(command)
    if (words.length > 0 && !known.has(command.name) && !command.name.includes(" "))
      cases.push(`    ${command.name}) words="${words.join(" ")}" ;;`)
  }
  return `# Completion of sluicectl for bash, made by: sluicectl completion bash
_sluicectl() {
  local current="\${COMP_WORDS[COMP_CWORD]}" command="" words="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "\${COMP_WORDS[i]}" in
      -p|--vhost|-f|--format|-U|--uri|-H|--host|-n|--node|-t|--timeout|-P|--port|--context|--user) ((i++)) ;;
      -*) ;;
      *) command="\${COMP_WORDS[i]}"; break ;;
    esac
  done
  if [[ -z "$command" ]]; then
    words="${firstWords().join(" ")}"
  else
    case "$command" in
${cases.join("\n")}
    esac
  fi
  if [[ "$current" == -* ]]; then
    words="$words ${GLOBAL_FLAGS.join(" ")}"
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -o default -F _sluicectl sluicectl
`
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

function zsh(): string {
  const commands = offered()
    .filter(({ name }) => !name.includes(" "))
    .map(({ name, summary }) => `    ${quoted(`${name}:${summary.replaceAll(":", ";")}`)}`)
  for (const first of secondWords().keys())
    if (!offered().some(({ name }) => name === first)) commands.push(`    ${quoted(`${first}:`)}`)
  const cases = offered()
    .filter((command) => candidates(command).length > 0 && !command.name.includes(" "))
    .map((command) => `    ${command.name}) found=(${candidates(command).join(" ")}) ;;`)
  for (const [first, second] of secondWords())
    cases.push(`    ${first}) found=(${second.join(" ")}) ;;`)
  return `#compdef sluicectl
# Completion of sluicectl for zsh, made by: sluicectl completion zsh
_sluicectl() {
  local -a commands found globals
  local command="\${words[2]}"
  commands=(
${commands.toSorted().join("\n")}
  )
  globals=(${GLOBAL_FLAGS.join(" ")})
  if [[ "$PREFIX" == -* ]]; then
    compadd -- $globals
  fi
  if ((CURRENT == 2)); then
    _describe 'command' commands
    return
  fi
  case "$command" in
${cases.join("\n")}
  esac
  compadd -- $found
  _files
}
if [[ "$funcstack[1]" == _sluicectl ]]; then _sluicectl "$@"; else compdef _sluicectl sluicectl; fi
`
}

function fish(): string {
  const lines = [
    "# Completion of sluicectl for fish, made by: sluicectl completion fish",
    "complete -c sluicectl -e",
  ]
  for (const { name, summary } of offered())
    if (!name.includes(" "))
      lines.push(
        `complete -c sluicectl -n __fish_use_subcommand -a ${name} -d ${fishQuoted(summary)}`,
      )
  for (const [first, second] of secondWords()) {
    if (!offered().some(({ name }) => name === first))
      lines.push(`complete -c sluicectl -n __fish_use_subcommand -a ${first}`)
    const condition = fishQuoted(`__fish_seen_subcommand_from ${first}`)
    lines.push(`complete -c sluicectl -n ${condition} -a ${fishQuoted(second.join(" "))}`)
  }
  for (const command of offered()) {
    const words = candidates(command)
    if (words.length === 0 || command.name.includes(" ")) continue
    const condition = fishQuoted(`__fish_seen_subcommand_from ${command.name}`)
    lines.push(`complete -c sluicectl -n ${condition} -a ${fishQuoted(words.join(" "))}`)
  }
  for (const flag of GLOBAL_FLAGS) lines.push(`complete -c sluicectl -l ${flag.slice(2)}`)
  return `${lines.join("\n")}\n`
}

function fishQuoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`
}
