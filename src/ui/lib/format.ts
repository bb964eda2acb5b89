/** Numbers, rates, bytes, durations and dates as the pages show them. English, the same in every browser. */

const ABSENT = "–"
const LOCALE = "en-GB"

const grouped = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 })
const short = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 })

type Maybe = number | null | undefined

function isKnown(value: Maybe): value is number {
  return typeof value === "number" && Number.isFinite(value)
}

/** `1,234,567` */
export function formatNumber(value: Maybe): string {
  return isKnown(value) ? grouped.format(value) : ABSENT
}

/** `1.2M`, from ten thousand on; for tiles and axes. */
export function formatShort(value: Maybe): string {
  if (!isKnown(value)) return ABSENT
  return Math.abs(value) < 10_000 ? trimmed(value, 1) : short.format(value)
}

/** `12/s`, `0.4/s`; nothing happening is `0/s`. */
export function formatRate(value: Maybe): string {
  if (!isKnown(value)) return ABSENT
  if (value === 0) return "0/s"
  return `${value < 10 ? trimmed(value, 1) : formatShort(Math.round(value))}/s`
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]

/** `1.5 MiB` */
export function formatBytes(value: Maybe): string {
  if (!isKnown(value)) return ABSENT
  let size = Math.abs(value)
  let unit = 0
  while (size >= 1024 && unit < UNITS.length - 1) {
    size /= 1024
    unit++
  }
  const digits = unit === 0 ? 0 : size < 10 ? 2 : size < 100 ? 1 : 0
  return `${value < 0 ? "-" : ""}${trimmed(size, digits)} ${UNITS[unit] ?? ""}`
}

export function formatByteRate(value: Maybe): string {
  return isKnown(value) ? `${formatBytes(value)}/s` : ABSENT
}

/** `34.5 %`, of a fraction. */
export function formatPercent(fraction: Maybe): string {
  return isKnown(fraction) ? `${trimmed(fraction * 100, 1)} %` : ABSENT
}

function trimmed(value: number, digits: number): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: digits })
}

/** `0.4 ms`, `86 ms`, `1.2 s`: of delays, more exactly than a duration. */
export function formatDelay(ms: Maybe): string {
  if (!isKnown(ms)) return ABSENT
  return ms < 1000 ? `${trimmed(ms, ms < 10 ? 1 : 0)} ms` : `${trimmed(ms / 1000, 1)} s`
}

const STEPS: readonly (readonly [unit: string, ms: number])[] = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["min", 60_000],
  ["s", 1000],
]

/** `2 d 4 h`, `3 min 5 s`, `12 ms`: the two largest units. */
export function formatDuration(ms: Maybe): string {
  if (!isKnown(ms)) return ABSENT
  if (ms < 1000) return `${String(Math.max(0, Math.round(ms)))} ms`
  let left = Math.floor(ms / 1000) * 1000
  const parts: string[] = []
  for (const [unit, size] of STEPS) {
    const count = Math.floor(left / size)
    if (parts.length === 1) {
      if (count > 0) parts.push(`${String(count)} ${unit}`)
      break
    }
    if (count > 0) parts.push(`${String(count)} ${unit}`)
    left -= count * size
  }
  return parts.join(" ")
}

/** `3 min ago`; a moment in the future is `in 3 min`. */
export function formatAge(timeMs: Maybe, nowMs: number): string {
  if (!isKnown(timeMs)) return ABSENT
  const ms = nowMs - timeMs
  if (Math.abs(ms) < 1000) return "now"
  const [largest = ""] = formatDuration(Math.abs(ms)).split(/(?<=[a-z]) /)
  return ms < 0 ? `in ${largest}` : `${largest} ago`
}

/** `23 Nov 2026, 20:16:07` in the browser's time zone. */
export function formatDate(timeMs: Maybe): string {
  if (!isKnown(timeMs)) return ABSENT
  return new Date(timeMs).toLocaleString(LOCALE, { dateStyle: "medium", timeStyle: "medium" })
}

/** `20:16:07` */
export function formatTime(timeMs: Maybe): string {
  return isKnown(timeMs) ? new Date(timeMs).toLocaleTimeString(LOCALE) : ABSENT
}

/** `1 queue`, `1,200 queues` */
export function formatCount(count: number, noun: readonly [one: string, many: string]): string {
  return `${formatNumber(count)} ${count === 1 ? noun[0] : noun[1]}`
}
