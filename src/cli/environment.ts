/** The variables that sluicectl reads, and where its own file is. */
import { homedir } from "node:os"
import { join } from "node:path"

export type Environment = Readonly<Record<string, string | undefined>>

/** An empty variable counts as absent. */
export function given(env: Environment, name: string): string | undefined {
  return env[name] === "" ? undefined : env[name]
}

/** Where the file of contexts is. */
export function contextsPath(env: Environment): string {
  const folder = given(env, "XDG_CONFIG_HOME") ?? join(homedir(), ".config")
  return join(folder, "sluice", "contexts.json")
}
