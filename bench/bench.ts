/**
 * What the rows of the benchmark have in common: a fresh broker for each, the ceilings measured
 * once per run, the shape of a result. Which rows there are is in rows.ts, how they are printed
 * and kept in run.ts.
 */
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { BrokerProcess, processCpuSeconds, RunningProcess } from "../test/support/broker-process.ts"
import { runLoad } from "./load.ts"
import type { ProbeReport } from "./probe.ts"

export interface Measurement {
  readonly name: string
  readonly value: number
  readonly unit: "msg/s" | "op/s" | "round trips/s" | "bytes" | "ms" | "ratio"
  /** What the value must reach, or must not exceed. */
  readonly floor?: number
  readonly limit?: number
  /** The same work done by a program that does nothing but it. */
  readonly ceiling?: number
  /** Of the broker, at the end of the load. */
  readonly rssBytes?: number
  /** Processor seconds of the broker per second of the load. */
  readonly cpu?: number
  readonly note?: string
}

export interface Row {
  /** For the filter of the command line. */
  readonly name: string
  run(bench: Bench): Promise<readonly Measurement[]>
}

export class Bench {
  readonly isQuick: boolean
  readonly #ceilings = new Map<number, number>()

  constructor(isQuick: boolean) {
    this.isQuick = isQuick
  }

  /** How long a load is measured. */
  get seconds(): number {
    return this.isQuick ? 3 : 8
  }

  /** Messages per second that a program takes in which only walks the frames. */
  async ceiling(bodySize: number): Promise<number> {
    const known = this.#ceilings.get(bodySize)
    if (known !== undefined) return known
    const args = ["-t", this.seconds, "-P", 1, "-C", 0, "-s", bodySize, "flow"]
    const value = await withStub("bench/ceiling.ts", async (port) => {
      const { published = 0 } = await runLoad(port, args, 60)
      return published
    })
    this.#ceilings.set(bodySize, value)
    return value
  }

  /** Requests per second that one connection can make one after the other, with a bare echo. */
  roundTrips(): Promise<number> {
    return withStub("bench/echo.ts", async (port) => {
      const { roundtrips = 0 } = await runLoad(port, ["-t", 2, "-n", 1, "ping"], 60)
      return roundtrips
    })
  }

  /** Runs the work against a broker in an empty directory, which is removed afterwards. */
  async withBroker<T>(
    flags: readonly string[],
    work: (broker: BrokerProcess, restart: () => Promise<Restarted>) => Promise<T>,
  ): Promise<T> {
    const dataDirectory = mkdtempSync(join(process.env["BENCH_DIR"] ?? tmpdir(), "sluice-bench-"))
    const options = { dataDirectory, flags: ["--log-level", "warn", ...flags], nodeFlags: PROBE }
    let broker = await BrokerProcess.start(options)
    const restart = async (): Promise<Restarted> => {
      await broker.stop()
      const startMs = performance.now()
      broker = await BrokerProcess.start(options)
      return { broker, bootMs: performance.now() - startMs }
    }
    try {
      return await work(broker, restart)
    } finally {
      if (broker.stderr !== "") console.error(broker.stderr.trim())
      await broker.stop("SIGKILL")
      rmSync(dataDirectory, { recursive: true, force: true })
    }
  }
}

/** Runs the work beside one of the stub servers. */
export async function withStub<T>(
  script: "bench/ceiling.ts" | "bench/echo.ts",
  work: (port: number) => Promise<T>,
): Promise<T> {
  const stub = new RunningProcess([script])
  try {
    return await work(Number((await stub.waitForOutput(/listens on \S*?:(\d+)\s/))[1]))
  } finally {
    await stub.stop("SIGKILL")
  }
}

export interface Restarted {
  readonly broker: BrokerProcess
  /** From the start of the process until it listens. */
  readonly bootMs: number
}

const PROBE = ["--import", "./bench/probe.ts"]

export async function askProbe(broker: RunningProcess): Promise<ProbeReport> {
  const answer = once(broker.child, "message")
  broker.child.send("report")
  const [report]: ProbeReport[] = await answer
  if (report === undefined) throw new Error("the probe did not answer")
  return report
}

/** A load against the broker with its processor time and memory. */
export async function measureLoad(
  broker: BrokerProcess,
  args: readonly (string | number)[],
  timeoutSeconds = 60,
): Promise<
  Awaited<ReturnType<typeof runLoad>> & { readonly rssBytes: number; readonly cpu: number }
> {
  const startMs = performance.now()
  const cpuBefore = broker.cpuSeconds()
  const result = await runLoad(broker.port, args, timeoutSeconds)
  const cpu = ((broker.cpuSeconds() - cpuBefore) * 1000) / (performance.now() - startMs)
  return { ...result, rssBytes: broker.rssBytes(), cpu }
}

/** Processor seconds per second of each process, for so long from now. */
export async function runningMeasurement(
  pids: readonly number[],
  ms: number,
): Promise<readonly number[]> {
  const before = pids.map(processCpuSeconds)
  const startMs = performance.now()
  await pause(ms)
  const seconds = (performance.now() - startMs) / 1000
  return pids.map((pid, index) => (processCpuSeconds(pid) - before[index]!) / seconds)
}

/** Resident memory once it no longer changes from one look to the next. */
export async function settledRss(broker: RunningProcess): Promise<number> {
  let previous = broker.rssBytes()
  for (let look = 0; look < 10; look++) {
    await pause(300)
    const current = broker.rssBytes()
    if (Math.abs(current - previous) < 2 ** 17) return current
    previous = current
  }
  return previous
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}
