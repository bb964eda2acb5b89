/**
 * Ends a program whose runtime is too old for it with a line that says what to do; else that shows as a syntax
 * error somewhere. Itself it imports only what every Node has.
 */
import { existsSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

/** As `engines` in package.json says. */
export const NODE_MIN = [22, 18] as const

export function isSupported(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number)
  return major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1])
}

/** Of the package, or "". npm puts it beside the package or into it. */
function broughtRuntime(): string {
  const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
  const places = [join(root, "node_modules"), dirname(root)]
  return places.map((folder) => join(folder, ".bin", "node")).find((path) => existsSync(path)) ?? ""
}

/** Call before modules are loaded that need what older runtimes do not have. */
export function requireSupportedRuntime({ versions, execPath, argv }: NodeJS.Process): void {
  if (isSupported(versions.node)) return
  const brought = broughtRuntime()
  const advice =
    brought === ""
      ? "install a newer one"
      : `the package has brought a newer one: ${brought} ${argv[1] ?? ""}`
  process.stderr.write(
    `Sluice needs Node ${NODE_MIN.join(".")} or newer, and ${execPath} is ${versions.node} (${advice})\n`,
  )
  process.exit(1)
}
