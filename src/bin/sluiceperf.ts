#!/usr/bin/env node
/**
 * The load generator's entry: reads the command line, runs a mode, sets the exit code. The first interrupt
 * ends the run with its summary, the second at once. What is measured is in perf/.
 */
import { createInterface } from "node:readline"
import { VERSION } from "../config/version.ts"
import { parsePerfArguments } from "../perf/command-line.ts"
import type { PerfInvocation } from "../perf/command-line.ts"
import type { PerfIo } from "../perf/perf-io.ts"
import { runMode } from "../perf/run.ts"
import { SystemClock } from "../util/clock.ts"
import { systemRandom } from "../util/random.ts"
import { requireSupportedRuntime } from "./supported-runtime.ts"

const EXIT_FAILURE = 1
const BUILD = `Sluice ${VERSION}, Node.js ${process.version}, ${process.platform} ${process.arch}`

async function main(): Promise<void> {
  const invocation = parsePerfArguments(process.argv.slice(2), { version: VERSION, build: BUILD })
  switch (invocation.kind) {
    case "print":
      process.stdout.write(invocation.text)
      return
    case "error":
      process.stderr.write(`sluiceperf: ${invocation.message.trimEnd()}\n`)
      process.exitCode = EXIT_FAILURE
      return
    case "run":
      await run(invocation)
  }
}

async function run({ mode, values }: Extract<PerfInvocation, { kind: "run" }>): Promise<void> {
  const interrupts: (() => void)[] = []
  let isInterrupted = false
  const interrupt = (): void => {
    if (isInterrupted) process.exit(EXIT_FAILURE)
    isInterrupted = true
    for (const callback of interrupts) callback()
  }
  process.on("SIGINT", interrupt)
  process.on("SIGTERM", interrupt)
  // A pipe whose reader has gone, such as `head`, ends the program without a stack trace.
  process.stdout.on("error", () => process.exit(EXIT_FAILURE))
  const io: PerfIo = {
    clock: new SystemClock(),
    random: systemRandom,
    isTerminal: process.stdout.isTTY && process.stdin.isTTY,
    out: (text) => void process.stdout.write(text),
    error: (text) => void process.stderr.write(text),
    onInterrupt: (callback) => {
      interrupts.push(callback)
      if (isInterrupted) callback()
    },
    readLine: () => readLine(interrupts),
  }
  process.exitCode = await runMode(mode, values, io)
}

function readLine(interrupts: (() => void)[]): Promise<boolean> {
  return new Promise((resolve) => {
    const lines = createInterface({ input: process.stdin })
    const end = (isLine: boolean): void => {
      resolve(isLine)
      lines.close()
    }
    interrupts.push(() => end(false))
    lines.once("line", () => end(true))
    lines.once("close", () => resolve(false))
  })
}

requireSupportedRuntime(process)
await main()
