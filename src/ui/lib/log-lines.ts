/** Lines of the live log: parsed from events, kept up to a number, searched. */
export interface LogLine {
  /** Counts up; the key of the row. */
  readonly id: number
  readonly time: string
  readonly level: string
  readonly source: string
  readonly text: string
  readonly fields: Readonly<Record<string, unknown>>
}

export const LINES_MAX = 5000
export const LEVELS = ["debug", "info", "warn", "error"] as const

/** Null for what is no line. A note of the broker about lines left out comes as an array. */
export function parseLogLine(data: string, id: number): LogLine | null {
  try {
    const value: unknown = JSON.parse(data)
    if (Array.isArray(value)) {
      const [level = "", source = "", text = ""] = value.map(String)
      return { id, time: "", level: level.toLowerCase(), source, text, fields: {} }
    }
    if (typeof value !== "object" || value === null) return null
    const { time, level, source, text, fields } = { ...value } as Readonly<Record<string, unknown>>
    return {
      id,
      time: textOf(time),
      level: textOf(level),
      source: textOf(source),
      text: textOf(text),
      fields: typeof fields === "object" && fields !== null ? { ...fields } : {},
    }
  } catch {
    return null
  }
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : ""
}

/** With the new ones, without the oldest. */
export function appendLines(
  lines: readonly LogLine[],
  added: readonly LogLine[],
): readonly LogLine[] {
  if (added.length === 0) return lines
  return [...lines, ...added].slice(-LINES_MAX)
}

export function matchesLine(
  { level, source, text, fields }: LogLine,
  lowest: string,
  wanted: string,
): boolean {
  const least = LEVELS.findIndex((name) => name === lowest)
  const own = LEVELS.findIndex((name) => name === level)
  // A level that is not in the list, such as fatal, is above them all.
  if (own >= 0 && own < least) return false
  if (wanted === "") return true
  return `${source} ${text} ${JSON.stringify(fields)}`.toLowerCase().includes(wanted.toLowerCase())
}

/** `peer=127.0.0.1 user=app` */
export function fieldsText(fields: Readonly<Record<string, unknown>>): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(" ")
}
