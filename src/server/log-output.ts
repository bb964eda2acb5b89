import { createRequire } from "node:module"
import type { DestinationStream, pino as Pino } from "pino"
import type pretty from "pino-pretty"
import type { Logger } from "../util/logger.ts"
import { escapeControls } from "../util/control-characters.ts"
import { formatLine } from "../util/log-ring.ts"
import { StartError } from "./start-error.ts"

/**
 * Where lines of the log go: readable to a terminal, with a priority to the journal, as JSON elsewhere and
 * into files. Standard error, so that standard output stays for answers. What is written is decided
 * before (logging.ts). The libraries are loaded when there is the first line to write: a broker without
 * a log needs none of them, and only a terminal the one for terminals.
 */
export type Severity = "debug" | "info" | "warn" | "error"

export interface LogOutput {
  write(severity: Severity, fields: object, text: string): void
  close(): void
}

/** Of sd-daemon(3). */
const JOURNAL_PRIORITY: Readonly<Record<Severity, number>> = {
  error: 3,
  warn: 4,
  info: 6,
  debug: 7,
}

const STANDARD_ERROR = 2

type Destination = ReturnType<typeof Pino.destination>

const load = createRequire(import.meta.url)

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The type of the package of that name.
const loadPino = (): typeof Pino => load("pino") as typeof Pino

/** Writes at once, so that a crash loses no line. */
function destination(target: number | string): Destination {
  const opened = loadPino().destination(
    typeof target === "number"
      ? { dest: target, sync: true }
      : { dest: target, sync: true, append: true, mkdir: false, mode: 0o640 },
  )
  // A log that cannot be written, such as on a full disk, must not stop the broker.
  opened.on("error", () => {})
  return opened
}

/** An embedder's own logger, which decides itself what it writes. */
export function loggerOutput(logger: Logger): LogOutput {
  return {
    write: (severity, fields, text) => logger[severity](fields, text),
    close: () => {},
  }
}

export const noOutput: LogOutput = { write: () => {}, close: () => {} }

export function standardError(env: NodeJS.ProcessEnv = process.env): LogOutput {
  return onFirstLine(() => {
    if (process.stderr.isTTY) return pinoOutput(terminal())
    // The journal has the time of its own.
    if (env["JOURNAL_STREAM"] !== undefined) return journalOutput(destination(STANDARD_ERROR))
    return pinoOutput(destination(STANDARD_ERROR))
  })
}

function onFirstLine(open: () => LogOutput): LogOutput {
  let output: LogOutput | null = null
  return {
    write(severity, fields, text) {
      output ??= open()
      output.write(severity, fields, text)
    },
    close: () => output?.close(),
  }
}

function terminal(): DestinationStream {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The type of the package of that name.
  const make = load("pino-pretty") as typeof pretty
  const format = make.prettyFactory({
    ignore: "pid,hostname",
    translateTime: "SYS:HH:MM:ss.l",
    colorize: make.isColorSupported,
  })
  const output = destination(STANDARD_ERROR)
  return { write: (line) => void output.write(escapeControls(format(line) ?? "")) }
}

/** Throws StartError if the file cannot be opened. */
export function logFile(path: string): LogOutput {
  try {
    const file = destination(path)
    return pinoOutput(file, () => file.end())
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error)
    throw new StartError(`the log file ${path} cannot be opened: ${code} (see log_file)`, {
      cause: error,
    })
  }
}

function pinoOutput(stream: DestinationStream, close: () => void = () => {}): LogOutput {
  const logger = loadPino()({ level: "trace", base: null }, stream)
  return { write: (severity, fields, text) => logger[severity](fields, text), close }
}

/** `<4>text name=value`, one line each. */
export function journalOutput(stream: DestinationStream): LogOutput {
  return {
    write(severity, fields, text) {
      const line = formatLine(text, fields).replaceAll(/[\r\n]+/g, " ")
      stream.write(`<${JOURNAL_PRIORITY[severity]}>${line}\n`)
    },
    close: () => {},
  }
}
