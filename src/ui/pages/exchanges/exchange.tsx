import type { JSX } from "preact"
import { useMemo } from "preact/hooks"
import { Badge, Button, KeyValues, Panel, Tabs } from "../../components/basics.tsx"
import type { KeyValueItem } from "../../components/basics.tsx"
import { RateChart } from "../../components/rate-chart.tsx"
import { ThingPage } from "../../components/thing-page.tsx"
import { location, navigate, setQuery } from "../../core/router.ts"
import { usePoll } from "../../core/use-poll.ts"
import { formatNumber, formatRate } from "../../lib/format.ts"
import { apiPath, href } from "../../lib/route.ts"
import type { Params } from "../../lib/route.ts"
import { MessageBrowser } from "../messages/message-browser.tsx"
import { textOf } from "../connections/types.ts"
import { BindingsFrom, BindingsTo } from "./bindings.tsx"
import { deleteExchanges } from "./exchange-actions.tsx"
import { ExchangeFeatures, Policies } from "./exchange-columns.tsx"
import { PublishForm } from "./publish-form.tsx"
import {
  addressName,
  exchangeHref,
  isDelayed,
  isPredeclared,
  shownName,
  typeName,
} from "./types.ts"
import type { ExchangeRow } from "./types.ts"

/** One exchange: rates, bindings, and a form to publish to it. */
export function Exchange({ params }: { readonly params: Params }): JSX.Element {
  const { vhost = "", name = "" } = params
  const poll = usePoll<ExchangeRow>(apiPath`exchanges/${vhost}/${name}`)
  return (
    <ThingPage
      poll={poll}
      title={shownName(name)}
      about={`Virtual host ${vhost}`}
      parent={{ label: "Exchanges", href: "#/exchanges" }}
      gone={{
        icon: "split",
        title: "There is no such exchange",
        text: (
          <>
            It may have been deleted. <a href="#/exchanges">All exchanges</a>
          </>
        ),
      }}
      badges={(exchange) => <ExchangeFeatures exchange={exchange} />}
      actions={(exchange) => <Actions exchange={exchange} />}
    >
      {(exchange, receivedMs) => <Parts exchange={exchange} receivedMs={receivedMs} />}
    </ThingPage>
  )
}

function Actions({ exchange }: { exchange: ExchangeRow }): JSX.Element {
  const remove = async (): Promise<void> => {
    if (await deleteExchanges([exchange])) navigate(href(["exchanges"]))
  }
  return (
    <>
      <Button
        icon="graph"
        onClick={() =>
          navigate(
            href(["topology"], { vhost: exchange.vhost, exchange: addressName(exchange.name) }),
          )
        }
      >
        Test routing
      </Button>
      {!isPredeclared(exchange.name) && (
        <Button kind="danger" icon="trash" onClick={() => void remove()}>
          Delete
        </Button>
      )}
    </>
  )
}

function Parts({
  exchange,
  receivedMs,
}: {
  exchange: ExchangeRow
  receivedMs: number
}): JSX.Element {
  const tab = location.value.query["tab"] ?? "bindings"
  return (
    <>
      <div class="columns">
        <Panel title="Message rates">
          <RateChart
            title="Message rates"
            stats={exchange.message_stats}
            lines={[
              ["publish_in", "In", 1],
              ["publish_out", "Out", 2],
              ["unroutable", "Unroutable", 6],
            ]}
            receivedMs={receivedMs}
            format={formatRate}
          />
        </Panel>
        <Panel title="Details">
          <KeyValues items={detailsOf(exchange)} />
        </Panel>
      </div>
      <Tabs
        label="Parts of the exchange"
        tabs={[
          { id: "bindings", label: "Bindings" },
          { id: "sources", label: "Sources" },
          { id: "publish", label: "Publish" },
          ...(isDelayed(exchange) ? [{ id: "delayed", label: "Delayed messages" }] : []),
        ]}
        active={tab}
        onSelect={(id) => setQuery({ tab: id === "bindings" ? "" : id })}
      />
      {tab === "publish" && (
        <Panel title="Publish a message">
          {exchange.internal ? (
            <p class="muted">Clients cannot publish to an internal exchange.</p>
          ) : (
            <PublishForm exchange={exchange} />
          )}
        </Panel>
      )}
      {tab === "delayed" && <DelayedMessages exchange={exchange} />}
      {tab === "sources" && (
        <Panel title="Bindings to this exchange" isFlush>
          <BindingsTo exchange={exchange} />
        </Panel>
      )}
      {tab === "bindings" && (
        <Panel title="Bindings from this exchange" isFlush={exchange.name !== ""}>
          <BindingsFrom exchange={exchange} />
        </Panel>
      )}
    </>
  )
}

/** Those that wait here until x-delay is over, in the order in which they are due. */
function DelayedMessages({ exchange: { vhost, name } }: { exchange: ExchangeRow }): JSX.Element {
  const source = useMemo(
    () => ({ kind: "delayed" as const, vhost, path: apiPath`exchanges/${vhost}/${name}/messages` }),
    [vhost, name],
  )
  return (
    <MessageBrowser
      source={source}
      name={name}
      count={null}
      empty="Messages with the header x-delay wait here until their time has come."
    />
  )
}

function detailsOf(exchange: ExchangeRow): KeyValueItem[] {
  const { type, message_stats: stats, effective_policy_definition: policy } = exchange
  const alternate =
    exchange.arguments["x-alternate-exchange"] ??
    exchange.arguments["alternate-exchange"] ??
    policy["alternate-exchange"]
  const count = (name: string): string => {
    const value = stats[name]
    return typeof value === "number" ? formatNumber(value) : "–"
  }
  return [
    ["Type", `${typeName(type)} (${type})`],
    ["Durable", exchange.durable ? "yes" : "no, it goes with a restart"],
    ["Auto-delete", exchange.auto_delete ? "yes, with its last binding" : "no"],
    ["Internal", exchange.internal ? "yes" : "no"],
    [
      "Alternate exchange",
      typeof alternate === "string" ? (
        <a href={exchangeHref({ vhost: exchange.vhost, name: alternate })}>{alternate}</a>
      ) : null,
      "Gets what no binding matches",
    ],
    [
      "Policy",
      exchange.policy === null && exchange.operator_policy === null ? null : (
        <Policies exchange={exchange} />
      ),
    ],
    ["In, out", `${count("publish_in")}, ${count("publish_out")}`, "Messages since the start"],
    ["Unroutable", count("unroutable")],
    ...Object.entries(exchange.arguments)
      .filter(([name]) => !name.endsWith("alternate-exchange"))
      .map(([name, value]): KeyValueItem => [name, <span class="mono">{textOf(value)}</span>]),
    ...Object.entries(policy).map(([name, value]): KeyValueItem => [
      name,
      <>
        {textOf(value)} <Badge tone="accent">policy</Badge>
      </>,
    ]),
  ]
}
