import { pino } from "pino"
import pretty from "pino-pretty"
import type { Logger } from "../util/logger.ts"

/** Severity below which nothing is written; pino's names. */
export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent"

/** A logger whose severity may be set at any time. */
export interface LeveledLogger extends Logger {
  level: string
}

/** Readable lines on a terminal, JSON otherwise; to standard error, so that standard output stays for answers. */
export function createLogger(level: LogLevel): LeveledLogger {
  const { stderr } = process
  if (!stderr.isTTY) return pino({ level, base: null }, pino.destination({ dest: 2, sync: true }))
  return pino(
    { level, base: null },
    pretty({ destination: 2, sync: true, ignore: "pid,hostname", translateTime: "SYS:HH:MM:ss.l" }),
  )
}
