import { href } from "../../lib/route.ts"
import type { Rate } from "../overview/types.ts"

/** Connections, channels and consumers as the API has them, as far as pages read it. */
export interface ConnectionRow {
  readonly name: string
  readonly user_provided_name: string | null
  readonly user: string
  readonly vhost: string
  readonly state: string
  readonly protocol: string
  readonly auth_mechanism: string
  readonly ssl: boolean
  readonly tls_version: string | null
  readonly cipher: string | null
  readonly peer_cert_subject?: string
  readonly peer_cert_issuer?: string
  readonly peer_cert_validity?: string
  readonly peer_cert_verified?: boolean
  readonly client_properties: Readonly<Record<string, unknown>>
  readonly connected_at: number
  readonly channels: number
  readonly channel_max: number
  readonly frame_max: number
  readonly timeout: number
  readonly host: string
  readonly port: number
  readonly peer_host: string
  readonly peer_port: number
  readonly send_pend: number
  readonly recv_oct: number
  readonly send_oct: number
  readonly recv_oct_details?: Rate
  readonly send_oct_details?: Rate
}

export interface ChannelRow {
  readonly name: string
  readonly number: number
  readonly user: string
  readonly vhost: string
  readonly state: string
  readonly confirm: boolean
  readonly transactional: boolean
  readonly prefetch_count: number
  readonly global_prefetch_count: number
  readonly consumer_count: number
  readonly messages_unacknowledged: number
  readonly messages_unconfirmed: number
  readonly connection_details: { readonly name: string }
  readonly message_stats: Readonly<Record<string, number | Rate>>
}

export interface ConsumerRow {
  readonly consumer_tag: string
  readonly queue: { readonly name: string; readonly vhost: string }
  readonly exclusive: boolean
  readonly ack_required: boolean
  readonly prefetch_count: number
  readonly priority: number
  readonly arguments: Readonly<Record<string, unknown>>
  readonly active: boolean
  readonly unacked: number
  readonly channel_details: {
    readonly name: string
    readonly number: number
    readonly connection_name: string
    readonly user: string
  }
}

/** `127.0.0.1:5001` of `127.0.0.1:5001 -> 127.0.0.1:5672 (1)`, with the number of a channel: lists show less. */
export function peerOf(name: string): string {
  const [peer = "", rest = ""] = name.split(" -> ")
  return `${peer}${/ \(\d+\)$/.exec(rest)?.[0] ?? ""}`
}

export const connectionHref = ({ name }: Pick<ConnectionRow, "name">): string =>
  href(["connections", name])

export const channelHref = ({ name }: { readonly name: string }): string => href(["channels", name])

/** `amqplib 1.0.3`, of what the client says of itself. */
export function clientOf({ client_properties: properties }: ConnectionRow): string {
  return [properties["product"], properties["version"]]
    .filter((value) => typeof value === "string")
    .join(" ")
}

export function textOf(value: unknown): string {
  return typeof value === "string" ? value : (JSON.stringify(value) ?? "")
}
