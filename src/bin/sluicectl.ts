#!/usr/bin/env node
/**
 * The entry of the command line tool: hands over the command line and standard output, sets the exit code.
 * Everything else is in cli/program.ts.
 */
import { keepCompiledCode } from "./compile-cache.ts"
import { requireSupportedRuntime } from "./supported-runtime.ts"

requireSupportedRuntime(process)

const argv = process.argv.slice(2)
// The list of processes shows no password from here on.
process.title = "sluicectl"

/** `sluicectl list_queues | head` is no error. */
process.stdout.on("error", (error) => {
  if ("code" in error && error.code === "EPIPE") process.exit(0)
  throw error
})

const sink = {
  isTerminal: process.stdout.isTTY,
  write(text: string | Uint8Array): Promise<void> {
    if (process.stdout.write(text)) return Promise.resolve()
    return new Promise((resolve) => process.stdout.once("drain", () => resolve()))
  },
}

keepCompiledCode(process.env)
if (argv.length === 1 && (argv[0] === "--version" || argv[0] === "-v")) {
  // Nothing else has to be loaded for that.
  const { VERSION } = await import("../config/version.ts")
  process.stdout.write(`${VERSION}\n`)
  process.exit(0)
}
const { runProgram } = await import("../cli/program.ts")
process.exitCode = await runProgram({
  argv,
  env: process.env,
  sink,
  onError: (text) => void process.stderr.write(text),
})
