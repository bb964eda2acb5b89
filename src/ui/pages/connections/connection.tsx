import type { JSX } from "preact"
import { Button, KeyValues, Panel } from "../../components/basics.tsx"
import type { KeyValueItem } from "../../components/basics.tsx"
import { DataTable } from "../../components/data-table.tsx"
import { RateChart } from "../../components/rate-chart.tsx"
import { ThingPage } from "../../components/thing-page.tsx"
import { nowMs } from "../../core/clock.ts"
import { usePoll } from "../../core/use-poll.ts"
import {
  formatAge,
  formatByteRate,
  formatBytes,
  formatDate,
  formatNumber,
} from "../../lib/format.ts"
import { apiPath } from "../../lib/route.ts"
import type { Params } from "../../lib/route.ts"
import { CHANNEL_COLUMNS } from "../channels/channel-columns.tsx"
import { CloseConnections, closeConnections } from "./close-connections.tsx"
import { ConnectionState } from "./connection-columns.tsx"
import { channelHref, textOf } from "./types.ts"
import type { ChannelRow, ConnectionRow } from "./types.ts"

/** One connection: who it is, what passes through it, its channels. */
export function Connection({ params }: { readonly params: Params }): JSX.Element {
  const { name = "" } = params
  const poll = usePoll<ConnectionRow>(apiPath`connections/${name}`)
  const { data } = poll.state.value
  return (
    <>
      <ThingPage
        poll={poll}
        title={data?.user_provided_name ?? name}
        about={data?.user_provided_name === null || data === null ? undefined : name}
        parent={{ label: "Connections", href: "#/connections" }}
        gone={{
          icon: "plug",
          title: "This connection is closed",
          text: (
            <>
              A client that connects again has another name.{" "}
              <a href="#/connections">All connections</a>
            </>
          ),
        }}
        badges={({ state }) => <ConnectionState state={state} />}
        actions={(connection) => (
          <Button kind="danger" icon="close" onClick={() => void closeConnections([connection])}>
            Close connection
          </Button>
        )}
      >
        {(connection, receivedMs) => <Parts connection={connection} receivedMs={receivedMs} />}
      </ThingPage>
      <CloseConnections />
    </>
  )
}

interface PartsProps {
  readonly connection: ConnectionRow
  readonly receivedMs: number
}

function Parts({ connection, receivedMs }: PartsProps): JSX.Element {
  return (
    <>
      <div class="columns">
        <Panel title="Data rates">
          <RateChart
            title="Data rates"
            stats={{ ...connection }}
            lines={[
              ["recv_oct", "Received", 1],
              ["send_oct", "Sent", 2],
            ]}
            receivedMs={receivedMs}
            format={formatByteRate}
            unit="bytes"
          />
        </Panel>
        <Panel title="Details">
          <KeyValues items={detailsOf(connection)} />
        </Panel>
      </div>
      <Panel title="Channels" isFlush>
        <DataTable<ChannelRow>
          id="connection-channels"
          noun={["channel", "channels"]}
          path={apiPath`connections/${connection.name}/channels`}
          columns={CHANNEL_COLUMNS.filter(({ id }) => id !== "vhost" && id !== "user")}
          rowKey={({ name }) => name}
          rowHref={channelHref}
          isLocal
          empty={{
            title: "No channels",
            text: "The client has opened none. It needs one for everything that it does.",
          }}
        />
      </Panel>
      <div class="columns">
        <ClientPanel connection={connection} />
        <TlsPanel connection={connection} />
      </div>
    </>
  )
}

function detailsOf(connection: ConnectionRow): KeyValueItem[] {
  const { connected_at: at, timeout, channels } = connection
  return [
    ["User", connection.user],
    ["Virtual host", connection.vhost],
    ["Connected", `${formatAge(at, nowMs())}, ${formatDate(at)}`],
    ["Protocol", connection.protocol],
    ["Login by", connection.auth_mechanism],
    [
      "Heartbeat",
      timeout === 0 ? "off" : `${String(timeout)} s`,
      "The connection is closed when nothing comes for twice as long",
    ],
    ["Channels", `${formatNumber(channels)} of at most ${formatNumber(connection.channel_max)}`],
    ["Frame max", formatBytes(connection.frame_max), "Larger messages are sent in several frames"],
    ["Client address", address(connection.peer_host, connection.peer_port)],
    ["Broker address", address(connection.host, connection.port)],
    ["Received, sent", `${formatBytes(connection.recv_oct)}, ${formatBytes(connection.send_oct)}`],
    [
      "Waiting to be sent",
      connection.send_pend === 0 ? null : formatBytes(connection.send_pend),
      "The client reads slower than the broker sends",
    ],
  ]
}

function address(host: string, port: number): string {
  if (host === "") return "Unix socket"
  return `${host.includes(":") ? `[${host}]` : host}:${String(port)}`
}

function ClientPanel({ connection }: { connection: ConnectionRow }): JSX.Element {
  const { capabilities, ...properties } = connection.client_properties
  const can =
    typeof capabilities === "object" && capabilities !== null
      ? Object.entries(capabilities)
          .filter(([, value]) => value === true)
          .map(([name]) => name.replaceAll("_", " "))
      : []
  const items = Object.entries(properties).map(([name, value]): KeyValueItem => [
    labelOf(name),
    textOf(value),
  ])
  return (
    <Panel title="What the client says of itself">
      {items.length + can.length === 0 ? (
        <p class="muted">Nothing.</p>
      ) : (
        <KeyValues items={[...items, ["Capabilities", can.join(", ")]]} />
      )}
    </Panel>
  )
}

function labelOf(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1).replaceAll("_", " ")
}

function TlsPanel({ connection }: { connection: ConnectionRow }): JSX.Element {
  const isVerified = connection.peer_cert_verified
  return (
    <Panel title="Encryption">
      {connection.ssl ? (
        <KeyValues
          items={[
            ["TLS version", connection.tls_version ?? "TLS, ended before the broker"],
            ["Cipher", connection.cipher],
            ["Certificate of the client", connection.peer_cert_subject ?? "none shown"],
            ["Issued by", connection.peer_cert_issuer],
            ["Valid", connection.peer_cert_validity],
            ["Verified", isVerified === undefined ? null : isVerified ? "yes" : "no"],
          ]}
        />
      ) : (
        <p class="muted">None. What is sent, passwords included, can be read on the way.</p>
      )}
    </Panel>
  )
}
