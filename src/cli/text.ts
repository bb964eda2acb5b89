/** Values as text for people and scripts: escaped, aligned, quoted. Prints nothing itself. */

/**
 * C0, DEL, C1 and marks of direction: names come from clients, and must neither break rows nor command the
 * terminal nor read as something else.
 */
// oxlint-disable-next-line no-control-regex -- They are what is looked for.
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g

const ESCAPES: Readonly<Record<string, string>> = { "\t": "\\t", "\n": "\\n", "\r": "\\r" }

export function printable(text: string): string {
  return text.replace(CONTROL, (char) => ESCAPES[char] ?? escapeOf(char.charCodeAt(0)))
}

function escapeOf(code: number): string {
  const hex = code.toString(16)
  return code > 0xff ? `\\u${hex}` : `\\x${hex.padStart(2, "0")}`
}

/** Lists of names as rabbitmqctl shows them; what else has parts as JSON. */
export function cellText(value: unknown): string {
  if (value === null || value === undefined) return ""
  if (typeof value === "string") return printable(value)
  if (typeof value === "number" || typeof value === "boolean" || typeof value === "bigint")
    return String(value)
  if (Array.isArray(value) && value.every((item) => typeof item === "string"))
    return `[${value.map(printable).join(", ")}]`
  return printable(JSON.stringify(value) ?? "")
}

/** RFC 4180. */
export function csvCell(value: unknown): string {
  const text =
    typeof value === "string" ? value : value === null || value === undefined ? "" : cellText(value)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

export function csvRow(values: readonly unknown[]): string {
  return `${values.map(csvCell).join(",")}\r\n`
}

/** Columns on a terminal: padded but for the last. A cell that is wider than its column moves the others. */
export function alignedRow(cells: readonly string[], widths: readonly number[]): string {
  const last = cells.length - 1
  const padded = cells.map((cell, i) => (i === last ? cell : cell.padEnd(widths[i] ?? 0)))
  return `${padded.join("  ").trimEnd()}\n`
}

export function widthsOf(rows: readonly (readonly string[])[]): number[] {
  const widths: number[] = []
  for (const row of rows)
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length)
  return widths
}

/** At a dotted path; undefined if there is none. */
export function valueAt(row: unknown, path: string): unknown {
  let value = row
  for (const key of path.split(".")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined
    value = Reflect.get(value, key)
  }
  return value
}

export function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value))
    : {}
}

/** `{name}` is replaced by what `valueOf` says. */
export function expand(template: string, valueOf: (name: string) => string): string {
  return template.replaceAll(/\{([a-z0-9_-]+)\}/g, (_, name: string) => valueOf(name))
}
