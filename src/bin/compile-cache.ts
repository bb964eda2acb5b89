/**
 * Keeps the compiled code of the program between starts: the second start listens twice as early. Not
 * under the system's directory for temporary files, where another user could leave code for us to run.
 */
import nodeModule from "node:module"
import { isAbsolute, join } from "node:path"

/** Call before the modules that are to be kept are imported. Does nothing where it cannot write. */
export function keepCompiledCode(env: NodeJS.ProcessEnv): void {
  const directory = cacheDirectory(env)
  if (directory !== null) nodeModule.enableCompileCache(directory)
}

/** The directory that systemd has made for the service, or the user's. */
function cacheDirectory(env: NodeJS.ProcessEnv): string | null {
  const own = env["CACHE_DIRECTORY"]?.split(":")[0]
  if (own !== undefined && isAbsolute(own)) return join(own, "code")
  const home = env["HOME"] ?? ""
  const shared = env["XDG_CACHE_HOME"] ?? (home === "" ? "" : join(home, ".cache"))
  return isAbsolute(shared) ? join(shared, "sluice", "code") : null
}
