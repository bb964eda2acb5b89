/**
 * The broker as users run it: a child process with a command line. For tests that send signals or
 * look at exit codes, and for the benchmarks. Tests of AMQP alone start it in their own process.
 */
import { spawn } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { once } from "node:events"
import { readFileSync, readdirSync, readlinkSync } from "node:fs"

export interface BrokerProcessOptions {
  readonly dataDirectory: string
  /** Flags besides data directory, address and port. */
  readonly flags?: readonly string[]
  /** Flags of Node, such as --import of a probe. */
  readonly nodeFlags?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly port?: number
  readonly bind?: string
}

const START_TIMEOUT_MS = 30_000
const CLOCK_TICKS_PER_SECOND = 100

export interface ExitStatus {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A child process whose output is collected. */
export class RunningProcess {
  readonly child: ChildProcess
  readonly #exit: Promise<ExitStatus>
  stdout = ""
  stderr = ""
  #onOutput: (() => void) | null = null

  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.child = spawn(process.execPath, args, {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      env: { ...process.env, NODE_OPTIONS: "", ...env },
    })
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text
      this.#onOutput?.()
    })
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text
    })
    this.#exit = once(this.child, "close").then(() => {
      this.#onOutput?.()
      return { code: this.child.exitCode, signal: this.child.signalCode }
    })
  }

  get pid(): number {
    return this.child.pid ?? 0
  }

  get hasExited(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null
  }

  /** Waits for text on standard output; fails with all output if the process ends or is too slow. */
  async waitForOutput(pattern: RegExp, timeoutMs = START_TIMEOUT_MS): Promise<RegExpExecArray> {
    let timer: NodeJS.Timeout | undefined
    const found = new Promise<RegExpExecArray>((resolve, reject) => {
      const look = (): void => {
        const match = pattern.exec(this.stdout)
        if (match !== null) resolve(match)
        else if (this.hasExited)
          reject(new Error(`ended without ${String(pattern)}:\n${this.stdout}${this.stderr}`))
      }
      timer = setTimeout(() => {
        reject(new Error(`no ${String(pattern)} in time:\n${this.stdout}${this.stderr}`))
      }, timeoutMs)
      this.#onOutput = look
      look()
    })
    try {
      return await found
    } finally {
      clearTimeout(timer)
      this.#onOutput = null
    }
  }

  exited(): Promise<ExitStatus> {
    return this.#exit
  }

  /** Sends the signal, unless the process has ended, and waits for its end. */
  stop(signal: NodeJS.Signals = "SIGTERM"): Promise<ExitStatus> {
    if (!this.hasExited) this.child.kill(signal)
    return this.#exit
  }

  /** Resident memory in bytes. */
  rssBytes(): number {
    const match = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${String(this.pid)}/status`, "utf8"))
    return Number(match?.[1] ?? 0) * 1024
  }

  /** Processor time used so far, user and system, all threads. */
  cpuSeconds(): number {
    return processCpuSeconds(this.pid)
  }

  openFileCount(): number {
    return readdirSync(`/proc/${String(this.pid)}/fd`).length
  }

  /** What the open file descriptors lead to; a deleted file says so. */
  openFiles(): string[] {
    const folder = `/proc/${String(this.pid)}/fd`
    return readdirSync(folder).map((fd) => {
      try {
        return readlinkSync(`${folder}/${fd}`)
      } catch {
        return "closed meanwhile"
      }
    })
  }
}

export class BrokerProcess extends RunningProcess {
  port = 0

  get url(): string {
    return `amqp://guest:guest@127.0.0.1:${String(this.port)}`
  }

  static async start(options: BrokerProcessOptions): Promise<BrokerProcess> {
    const broker = new BrokerProcess(brokerArguments(options), options.env)
    const match = await broker.waitForOutput(/listens on \S*?:(\d+)[\s,]/)
    broker.port = Number(match[1])
    return broker
  }
}

/** User and system time of all threads. */
export function processCpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${String(pid)}/stat`, "utf8")
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND
}

/** The command line behind `node`. */
export function brokerArguments(options: BrokerProcessOptions): string[] {
  return [
    ...(options.nodeFlags ?? []),
    "src/bin/sluice.ts",
    "--data-dir",
    options.dataDirectory,
    "--bind",
    options.bind ?? "127.0.0.1",
    "--amqp-port",
    String(options.port ?? 0),
    "--http-port",
    "off",
    "--metrics-http-port",
    "off",
    ...(options.flags ?? []),
  ]
}
