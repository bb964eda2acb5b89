import type { JSX } from "preact"
import { Badge, State } from "../../components/basics.tsx"
import type { Column } from "../../components/data-table.tsx"
import { numberColumn } from "../../components/number-column.tsx"
import { nowMs } from "../../core/clock.ts"
import { formatAge, formatByteRate, formatBytes, formatDate } from "../../lib/format.ts"
import { clientOf, connectionHref, peerOf, textOf } from "./types.ts"
import type { ConnectionRow } from "./types.ts"

/** The columns of the list of connections. */
/** Of a connection or channel: running is quiet, the rest is worth a look. */
export function ConnectionState({ state }: { state: string }): JSX.Element {
  const tone = state === "running" ? "ok" : state === "closing" ? "neutral" : "warn"
  return <State tone={tone}>{state}</State>
}

const IDENTITY: readonly Column<ConnectionRow>[] = [
  {
    id: "name",
    label: "Name",
    cell: (row) => (
      <a href={connectionHref(row)} title={row.name}>
        {peerOf(row.name)}
      </a>
    ),
  },
  {
    id: "user_provided_name",
    label: "Client name",
    isWide: true,
    help: "How the client named itself: connection_name of its properties",
    cell: ({ user_provided_name: own }) => own !== null && <span title={own}>{own}</span>,
  },
  { id: "vhost", label: "Virtual host", cell: ({ vhost }) => vhost },
  { id: "user", label: "User", cell: ({ user }) => user },
  { id: "state", label: "State", cell: ({ state }) => <ConnectionState state={state} /> },
]

const TRAFFIC: readonly Column<ConnectionRow>[] = [
  numberColumn("channels", "Channels"),
  numberColumn("recv_oct_details.rate", "Receives", {
    help: "Bytes per second from the client",
    format: formatByteRate,
  }),
  numberColumn("send_oct_details.rate", "Sends", {
    help: "Bytes per second to the client",
    format: formatByteRate,
  }),
  numberColumn("recv_oct", "Received", { format: formatBytes, isOptional: true }),
  numberColumn("send_oct", "Sent", { format: formatBytes, isOptional: true }),
]

const TERMS: readonly Column<ConnectionRow>[] = [
  {
    id: "ssl",
    label: "TLS",
    cell: (row) =>
      row.ssl ? (
        <Badge tone="ok" title={row.cipher ?? "Encrypted"}>
          {row.tls_version ?? "TLS"}
        </Badge>
      ) : (
        <span class="zero">no</span>
      ),
  },
  { id: "cipher", label: "Cipher", isOptional: true, cell: ({ cipher }) => cipher ?? "" },
  { id: "protocol", label: "Protocol", isOptional: true, cell: ({ protocol }) => protocol },
  { id: "auth_mechanism", label: "Login by", isOptional: true, cell: (row) => row.auth_mechanism },
  numberColumn("channel_max", "Channel max", { isOptional: true }),
  numberColumn("frame_max", "Frame max", { format: formatBytes, isOptional: true }),
  numberColumn("timeout", "Heartbeat", {
    format: (seconds) => (seconds === 0 ? "off" : `${String(seconds)} s`),
    isOptional: true,
  }),
  { id: "client_properties.product", label: "Client", cell: (row) => clientOf(row) },
  {
    id: "client_properties.platform",
    label: "Platform",
    isOptional: true,
    cell: (row) => textOf(row.client_properties["platform"] ?? ""),
  },
  {
    id: "connected_at",
    label: "Opened",
    isNumber: true,
    cell: ({ connected_at: at }) => <span title={formatDate(at)}>{formatAge(at, nowMs())}</span>,
  },
]

export const CONNECTION_COLUMNS: readonly Column<ConnectionRow>[] = [
  ...IDENTITY,
  ...TRAFFIC,
  ...TERMS,
]
