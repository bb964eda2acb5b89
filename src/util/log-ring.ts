import { escapeControls } from "./control-characters.ts"

/**
 * The last lines of the log in memory, for those who look at it from afar, and a bell for those who
 * follow it. Bounded in lines and in the size of each. Knows neither files nor HTTP.
 */
export interface LogEntry {
  /** Milliseconds since 1970; one more than the entry before if that had the same. */
  readonly id: number
  readonly timeMs: number
  readonly level: string
  /** What the line is about: `connection`, `queue`, `broker` … */
  readonly source: string
  /** The same for all lines of a kind. */
  readonly text: string
  /** Text and fields in one line. */
  readonly message: string
  /** JSON of the fields. */
  readonly fields: string
}

export interface LogListener {
  logged(entry: LogEntry): void
  /** The broker stops. */
  closed(): void
}

const ENTRIES_MAX = 1024
const MESSAGE_SIZE_MAX = 2048
const FIELDS_SIZE_MAX = 8192

/** Which field says what a line is about, the narrowest first. */
const SOURCES = ["connection", "queue", "exchange", "policy", "vhost", "user"] as const

export class LogRing {
  readonly #entries: LogEntry[] = []
  readonly #listeners = new Set<LogListener>()
  /** Index of the oldest once it is full. */
  #start = 0
  #lastId = 0
  #isClosed = false

  /** Fields must be free of secrets and cycles. */
  add(timeMs: number, level: string, fields: object, text: string): void {
    const id = Math.max(timeMs, this.#lastId + 1)
    this.#lastId = id
    const json = stringify(fields)
    const entry: LogEntry = {
      id,
      timeMs,
      level,
      source: SOURCES.find((name) => name in fields) ?? "broker",
      text,
      message: cut(formatLine(text, fields), MESSAGE_SIZE_MAX),
      fields: json.length > FIELDS_SIZE_MAX ? '{"truncated":true}' : json,
    }
    if (this.#entries.length < ENTRIES_MAX) this.#entries.push(entry)
    else {
      this.#entries[this.#start] = entry
      this.#start = (this.#start + 1) % ENTRIES_MAX
    }
    for (const listener of this.#listeners) listener.logged(entry)
  }

  /** Those with a higher id, the oldest first. */
  since(id = 0): LogEntry[] {
    const inOrder = [...this.#entries.slice(this.#start), ...this.#entries.slice(0, this.#start)]
    return inOrder.filter((entry) => entry.id > id)
  }

  get listenerCount(): number {
    return this.#listeners.size
  }

  listen(listener: LogListener): void {
    if (this.#isClosed) listener.closed()
    else this.#listeners.add(listener)
  }

  leave(listener: LogListener): void {
    this.#listeners.delete(listener)
  }

  /** Ends all that follow. Lines are taken all the same. */
  close(): void {
    this.#isClosed = true
    for (const listener of this.#listeners) listener.closed()
    this.#listeners.clear()
  }
}

/** `text name=value name="two words"` */
export function formatLine(text: string, fields: object): string {
  let line = text
  for (const [name, value] of Object.entries(fields))
    if (value !== undefined) line += ` ${name}=${formatValue(value)}`
  return escapeControls(line)
}

function formatValue(value: unknown): string {
  if (value instanceof Error) return JSON.stringify(value.message)
  if (typeof value === "string") return /^[\w./:@%+-]+$/.test(value) ? value : JSON.stringify(value)
  return stringify(value)
}

function stringify(value: unknown): string {
  try {
    return JSON.stringify(value, shownError) ?? "null"
  } catch {
    return '"[cannot be shown]"'
  }
}

function shownError(_name: string, value: unknown): unknown {
  if (typeof value === "bigint") return String(value)
  if (!(value instanceof Error)) return value
  const code: unknown = "code" in value ? value.code : undefined
  return { type: value.name, message: value.message, code }
}

function cut(text: string, sizeMax: number): string {
  return text.length > sizeMax ? `${text.slice(0, sizeMax)}…` : text
}
