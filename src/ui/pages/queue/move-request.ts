/** What the form for moving messages sends. Empty fields are left out; times are typed as `90s`, `15m`, `2h`, `7d`. */
export interface MoveFields {
  readonly kind: "redrive" | "move"
  /** redrive: "exchange" or "queue". */
  readonly to: string
  readonly maxRedrives: string
  /** move: "queue" or "exchange". */
  readonly target: string
  readonly vhost: string
  readonly queue: string
  readonly exchange: string
  readonly routingKey: string
  readonly count: string
  readonly rate: string
  readonly headers: Readonly<Record<string, unknown>>
  readonly reason: string
  readonly fromExchange: string
  readonly fromKey: string
  readonly olderThan: string
  readonly newerThan: string
  readonly isDryRun: boolean
}

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 }

/** Seconds; null for nothing. Throws what is wrong. */
export function secondsOf(text: string): number | null {
  const trimmed = text.trim()
  if (trimmed === "") return null
  const found = /^(\d+(?:\.\d+)?)\s*([smhd]?)$/.exec(trimmed)
  if (found === null) throw new Error(`${trimmed} is no time: write 90s, 15m, 2h or 7d.`)
  return Number(found[1]) * (UNITS[found[2] || "s"] ?? 1)
}

function numberOf(label: string, text: string, min: number): number | undefined {
  if (text.trim() === "") return undefined
  const number = Number(text)
  if (!Number.isFinite(number) || number < min)
    throw new Error(`${label} must be a number from ${String(min)} on.`)
  return number
}

/** Throws what is wrong with a field. */
export function moveRequest(fields: MoveFields): Record<string, unknown> {
  const { kind, isDryRun } = fields
  return withoutEmpty({
    ...(kind === "redrive" ? redriveFields(fields) : destinationFields(fields)),
    count: numberOf("How many", fields.count, 1),
    rate: numberOf("The rate", fields.rate, 0),
    filter: filterOf(fields),
    dry_run: isDryRun,
  })
}

function redriveFields({ to, maxRedrives }: MoveFields): Record<string, unknown> {
  return { to, max_redrives: numberOf("How often", maxRedrives, 0) }
}

function destinationFields(fields: MoveFields): Record<string, unknown> {
  const { target, vhost, queue, exchange, routingKey } = fields
  return target === "queue"
    ? { dest_vhost: vhost, dest_queue: queue }
    : {
        dest_vhost: vhost,
        dest_exchange: exchange,
        dest_routing_key: routingKey === "" ? undefined : routingKey,
      }
}

function filterOf(fields: MoveFields): Record<string, unknown> | undefined {
  const header = Object.fromEntries(
    Object.entries(fields.headers).map(([name, value]) => [
      name,
      typeof value === "string" ? value : JSON.stringify(value),
    ]),
  )
  const filter = withoutEmpty({
    header: Object.keys(header).length === 0 ? undefined : header,
    reason: fields.reason || undefined,
    exchange: fields.fromExchange || undefined,
    routing_key: fields.fromKey || undefined,
    older_than: secondsOf(fields.olderThan) ?? undefined,
    newer_than: secondsOf(fields.newerThan) ?? undefined,
  })
  return Object.keys(filter).length === 0 ? undefined : filter
}

function withoutEmpty(record: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined))
}
