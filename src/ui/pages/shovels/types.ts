/** Shovels: their parameter, and how they do. */
export interface ShovelParameter {
  readonly name: string
  readonly vhost: string
  readonly value: Readonly<Record<string, unknown>>
}

export interface ShovelStatus {
  readonly name: string
  readonly vhost: string
  readonly state: string
  readonly error?: string | null
  readonly message_count?: number
  readonly message_rate?: number
}

export interface ShovelRow extends ShovelParameter {
  readonly status: ShovelStatus | null
  /** For sorting. */
  readonly state: string
}

export function stateTone(state: string): "ok" | "warn" | "danger" | "neutral" {
  switch (state.toLowerCase()) {
    case "running":
      return "ok"
    case "paused":
    case "starting":
      return "warn"
    case "error":
    case "terminated":
      return "danger"
    default:
      return "neutral"
  }
}

export function textOf(value: unknown): string {
  return typeof value === "string"
    ? value
    : value === undefined || value === null
      ? ""
      : JSON.stringify(value)
}
