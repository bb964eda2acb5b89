import type { Clock } from "../util/clock.ts"
import type { Logger } from "../util/logger.ts"
import { LogRing } from "../util/log-ring.ts"
import { redact } from "../util/redact.ts"
import { LogFlood } from "./log-flood.ts"
import { logFile, loggerOutput, noOutput, standardError } from "./log-output.ts"
import type { LogOutput, Severity } from "./log-output.ts"

/**
 * The log of one broker. Every line passes here: it is left out if its severity is too low or too many of
 * its kind came, freed of secrets, kept in the ring for those who follow from afar, and written. Nothing
 * here is called on the path of a message.
 */

/** Severity below which nothing is written; pino's names. */
export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent"

const RANK: Readonly<Record<LogLevel, number>> = {
  trace: 10,
  debug: 20,
  info: 30,
  warn: 40,
  error: 50,
  fatal: 60,
  silent: Infinity,
}

/** The least severe first. */
const LEVELS = ["trace", "debug", "info", "warn", "error", "fatal"] as const

export interface LogOptions {
  readonly clock: Clock
  /** Of lines that are written and kept. Default info; for a logger of the embedder its own level decides. */
  readonly level?: LogLevel | undefined
  /** Instead of standard error. */
  readonly file?: string | undefined
  /** An embedder's own. */
  readonly logger?: Logger | undefined
  /** For tests. */
  readonly output?: LogOutput
}

export class BrokerLog implements Logger {
  readonly ring = new LogRing()
  readonly #clock: Clock
  readonly #flood: LogFlood
  readonly #isOwn: boolean
  #output: LogOutput
  #file: string
  /** Below it nothing is kept, below the other nothing is written. */
  #ringRank: number
  #outputRank: number

  /** Throws StartError if the file cannot be opened. */
  constructor(options: LogOptions) {
    const { clock, level, file = "", logger } = options
    this.#clock = clock
    this.#file = file
    this.#isOwn = logger === undefined
    this.#ringRank = RANK[level ?? "info"]
    this.#outputRank = logger === undefined || level !== undefined ? this.#ringRank : RANK.trace
    this.#output = options.output ?? outputOf(options)
    this.#flood = new LogFlood(clock, (kind, count) =>
      this.#write("warn", { line: kind, count }, "similar lines were left out of the log"),
    )
  }

  debug(fields: object, text: string): void {
    if (RANK.debug >= this.#ringRank || RANK.debug >= this.#outputRank)
      this.#write("debug", fields, text) // Who asks for them wants them all.
  }

  info(fields: object, text: string): void {
    this.#log("info", fields, text)
  }

  warn(fields: object, text: string): void {
    this.#log("warn", fields, text)
  }

  error(fields: object, text: string): void {
    this.#log("error", fields, text)
  }

  /** In force: of lines that are kept. */
  get level(): LogLevel {
    return LEVELS.find((one) => RANK[one] >= this.#ringRank) ?? "silent"
  }

  set level(level: LogLevel) {
    this.#ringRank = RANK[level]
    this.#outputRank = RANK[level]
  }

  /**
   * Opens the file, again if it is the same one: it may have been moved away. "" is standard error. One
   * that cannot be opened changes nothing, and the log says so.
   */
  reopen(file: string): void {
    if (!this.#isOwn || (file === "" && this.#file === "")) return
    const before = this.#output
    try {
      this.#output = file === "" ? standardError() : logFile(file)
    } catch (error) {
      this.error({ path: file, err: error }, "the log stays where it is: its file cannot be opened")
      return
    }
    this.#file = file
    before.close()
  }

  #log(severity: Severity, fields: object, text: string): void {
    const rank = RANK[severity]
    if (rank < this.#ringRank && rank < this.#outputRank) return
    if (this.#flood.admits(text)) this.#write(severity, fields, text)
  }

  #write(severity: Severity, fields: object, text: string): void {
    const rank = RANK[severity]
    const shown = Object(redact(fields))
    if (rank >= this.#outputRank) this.#output.write(severity, shown, text)
    if (rank >= this.#ringRank) this.ring.add(this.#clock.nowMs, severity, shown, text)
  }

  /** No timer and no file remains. What comes later is written to standard error, if anywhere. */
  close(): void {
    this.#flood.close()
    this.ring.close()
    if (this.#file === "") return
    const before = this.#output
    this.#output = standardError()
    this.#file = ""
    before.close()
  }
}

function outputOf({ logger, level, file = "" }: LogOptions): LogOutput {
  if (logger !== undefined) return loggerOutput(logger)
  if (file !== "") return logFile(file)
  return level === undefined ? noOutput : standardError()
}
