import { pino } from "pino"
import pretty from "pino-pretty"
import type { Logger } from "../util/logger.ts"

/** Severity below which nothing is written; pino's names. */
export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent"

/** Readable lines on a terminal, JSON otherwise; to standard error, so that standard output stays for answers. */
export function createLogger(level: LogLevel): Logger {
  const { stderr } = process
  if (!stderr.isTTY) return pino({ level, base: null }, pino.destination({ dest: 2, sync: true }))
  return pino(
    { level, base: null },
    pretty({ destination: 2, sync: true, ignore: "pid,hostname", translateTime: "SYS:HH:MM:ss.l" }),
  )
}
