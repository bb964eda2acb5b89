/**
 * What the tests need beyond npm packages, and how it gets there: installed with apt-get when we
 * are root on a Debian, otherwise named in one line. Never "skip what cannot run".
 */
import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { delimiter, join } from "node:path"

export interface Requirement {
  /** Any of these on PATH will do. */
  readonly programs: readonly string[]
  readonly debianPackage: string
  /** The suite that needs it. */
  readonly suite: string
}

/** Beside Node and the npm packages. */
export const REQUIREMENTS: readonly Requirement[] = [
  { programs: ["chromium"], debianPackage: "chromium", suite: "browser" },
  { programs: ["openssl"], debianPackage: "openssl", suite: "wire and http, for certificates," },
  { programs: ["curl"], debianPackage: "curl", suite: "http" },
]

const NODE_MAJOR_MIN = 22
const NODE_MINOR_MIN = 18

/** Returns what is still missing, one line each; empty if the tests can run. */
export function meetRequirements(requirements: readonly Requirement[] = REQUIREMENTS): string[] {
  const missing: string[] = []
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)
  if (major < NODE_MAJOR_MIN || (major === NODE_MAJOR_MIN && minor < NODE_MINOR_MIN))
    missing.push(`Node ${process.version} is too old, 22.18 is the oldest that runs TypeScript`)
  if (!existsSync("node_modules/typescript")) missing.push("node_modules is incomplete: npm ci")
  const absent = requirements.filter((requirement) => !isPresent(requirement))
  if (absent.length === 0) return missing
  const packages = absent.map((requirement) => requirement.debianPackage)
  if (process.getuid?.() === 0 && existsSync("/etc/debian_version")) installPackages(packages)
  for (const requirement of absent.filter((one) => !isPresent(one)))
    missing.push(
      `${requirement.suite} needs ${requirement.programs.join(" or ")}: ` +
        `apt-get install ${requirement.debianPackage}`,
    )
  return missing
}

function isPresent(requirement: Requirement): boolean {
  const folders = (process.env["PATH"] ?? "").split(delimiter)
  return requirement.programs.some((program) =>
    folders.some((folder) => existsSync(join(folder, program))),
  )
}

function installPackages(packages: readonly string[]): void {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" }
  console.log(`installing ${packages.join(" ")} with apt-get`)
  spawnSync("apt-get", ["update", "-qq"], { env, stdio: "inherit" })
  spawnSync("apt-get", ["install", "-qq", "-y", "--no-install-recommends", ...packages], {
    env,
    stdio: "inherit",
  })
}
