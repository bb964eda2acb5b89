/** Federation: upstreams and sets, which are parameters, and the links that policies make of them. */
export interface UpstreamRow {
  readonly name: string
  readonly vhost: string
  readonly value: Readonly<Record<string, unknown>>
}

export interface UpstreamSetRow {
  readonly name: string
  readonly vhost: string
  readonly value: readonly Readonly<Record<string, unknown>>[]
}

export interface LinkRow {
  readonly id?: string
  readonly vhost: string
  readonly upstream: string
  readonly type: string
  /** The exchange or queue here. */
  readonly resource?: string
  readonly exchange?: string
  readonly queue?: string
  readonly uri: string
  readonly status: string
  readonly error?: string | null
  readonly timestamp?: string
  readonly node?: string
  readonly policy?: string | null
  readonly message_rate?: number
  readonly forwarded?: number
}
