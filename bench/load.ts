/** Compiles the load generator when it is absent or old, and runs it. */
import { spawn, spawnSync } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdirSync, statSync } from "node:fs"

const SOURCE = "bench/load/amqpload.c"
const PROGRAM = ".cache/amqpload"

export interface LoadResult {
  readonly published?: number
  readonly consumed?: number
  readonly confirmed?: number
  readonly roundtrips?: number
  readonly per_s?: number
  readonly ready?: number
  readonly latency_us?: { readonly p50: number; readonly p99: number }
}

export function compileLoad(): void {
  if (existsSync(PROGRAM) && statSync(PROGRAM).mtimeMs > statSync(SOURCE).mtimeMs) return
  mkdirSync(".cache", { recursive: true })
  const { status, error, stderr } = spawnSync("cc", ["-O2", "-o", PROGRAM, SOURCE, "-lpthread"], {
    encoding: "utf8",
  })
  if (status !== 0)
    throw new Error(
      `the generator needs a C compiler (apt-get install gcc libc6-dev): ${error?.message ?? stderr}`,
    )
}

/** Runs one load to its end. The arguments are those of amqpload, mode last. */
export async function runLoad(
  port: number,
  args: readonly (string | number)[],
  timeoutSeconds: number,
): Promise<LoadResult> {
  const load = startLoad(port, args)
  const timer = setTimeout(() => load.child.kill("SIGKILL"), timeoutSeconds * 1000)
  try {
    await once(load.child, "close")
  } finally {
    clearTimeout(timer)
  }
  const line = load.output().trim().split("\n").at(-1) ?? ""
  if (load.child.exitCode !== 0 || !line.startsWith("{"))
    throw new Error(
      `amqpload ${args.join(" ")} ` +
        (load.child.signalCode === null
          ? `failed: ${load.errors().trim()}`
          : `took more than ${String(timeoutSeconds)} s`),
    )
  const result: LoadResult = JSON.parse(line)
  return result
}

export interface RunningLoad {
  readonly child: ChildProcess
  output(): string
  errors(): string
  /** Resolves when the load has printed "ready". */
  ready(): Promise<void>
}

export function startLoad(port: number, args: readonly (string | number)[]): RunningLoad {
  const child = spawn(PROGRAM, ["-p", String(port), ...args.map(String)], {
    stdio: ["ignore", "pipe", "pipe"],
  })
  let output = ""
  let errors = ""
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text))
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text))
  return {
    child,
    output: () => output,
    errors: () => errors,
    ready: async () => {
      while (!output.startsWith("ready")) {
        if (child.exitCode !== null) throw new Error(`amqpload ended: ${errors}`)
        await Promise.race([once(child.stdout, "data"), once(child, "close")])
      }
    },
  }
}
