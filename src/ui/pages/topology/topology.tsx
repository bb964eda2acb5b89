import { useSignal } from "@preact/signals"
import type { Signal } from "@preact/signals"
import type { JSX } from "preact"
import { useEffect, useMemo } from "preact/hooks"
import {
  Banner,
  Button,
  Empty,
  ErrorBanner,
  Loading,
  Page,
  Panel,
} from "../../components/basics.tsx"
import { Checkbox, Field, Select } from "../../components/form.tsx"
import { preference } from "../../core/preferences.ts"
import { location, setQuery } from "../../core/router.ts"
import { usePoll } from "../../core/use-poll.ts"
import { currentVhost, defaultVhost, vhostNames } from "../../core/vhosts.ts"
import { formatNumber } from "../../lib/format.ts"
import { apiPath, href, withQuery } from "../../lib/route.ts"
import { buildGraph, edgeId, layOut, nodeId, selectGraph } from "../../lib/topology.ts"
import type { Graph, Highlight, TopologyBinding, TopologyQueue } from "../../lib/topology.ts"
import { exchangeHref, shownName } from "../exchanges/types.ts"
import type { ExchangeRow, RouteAnswer } from "../exchanges/types.ts"
import { TopologyGraph, ZOOMS } from "./graph.tsx"
import { RouteTester } from "./route-tester.tsx"

/** The exchanges, bindings and queues of a vhost as a picture, and a tester of routes. */
const NODES_MAX = 300
const ROWS_MAX = 10_000

interface Rows<T> {
  readonly items: readonly T[]
  readonly total_count: number
}

export function Topology(): JSX.Element {
  const asked = location.value.query["vhost"] ?? ""
  const known = vhostNames.value.includes(asked) ? asked : ""
  const vhost = known || currentVhost.value || defaultVhost.value
  return (
    <Page title="Topology" about={`Virtual host ${vhost}`}>
      <VhostTopology key={vhost} vhost={vhost} />
    </Page>
  )
}

function useRows<T>(
  path: string,
  columns: string,
  order = "",
): ReturnType<typeof usePoll<Rows<T>>> {
  const query = {
    page: 1,
    page_size: ROWS_MAX,
    columns,
    sort: order,
    sort_reverse: order && "true",
  }
  // A large vhost has much to send: asked once, and after changes.
  return usePoll<Rows<T>>(withQuery(path, query), { intervalMs: 0 })
}

interface Loaded {
  readonly graph: Graph | null
  readonly error: unknown
  readonly isCut: boolean
  readonly retry: () => void
}

function useTopology(vhost: string): Loaded {
  const exchanges = useRows<ExchangeRow>(
    apiPath`exchanges/${vhost}`,
    "name,type,internal,arguments,effective_policy_definition",
  )
  const queues = useRows<TopologyQueue>(apiPath`queues/${vhost}`, "name,type,messages,consumers")
  // Sorted backwards, the bindings of the default exchange come last.
  const bindings = useRows<TopologyBinding>(
    apiPath`bindings/${vhost}`,
    "source,destination,destination_type,routing_key,arguments",
    "source",
  )
  const polls = [exchanges, queues, bindings]
  const [e, q, b] = [exchanges.state.value.data, queues.state.value.data, bindings.state.value.data]
  const graph = useMemo(
    () =>
      e === null || q === null || b === null
        ? null
        : buildGraph({
            exchanges: e.items
              .filter(({ name }) => name !== "")
              .map((one) => ({
                name: one.name,
                type: one.type,
                internal: one.internal,
                alternate: alternateOf(one),
              })),
            queues: q.items,
            bindings: b.items.filter(({ source }) => source !== ""),
          }),
    [e, q, b],
  )
  const named = b?.items.filter(({ source }) => source !== "").length ?? 0
  return {
    graph,
    error: polls.map((poll) => poll.state.value.error).find((error) => error !== null) ?? null,
    isCut:
      (e?.total_count ?? 0) > ROWS_MAX || (q?.total_count ?? 0) > ROWS_MAX || named >= ROWS_MAX,
    retry: () => {
      for (const poll of polls) poll.refresh()
    },
  }
}

function alternateOf({
  arguments: args,
  effective_policy_definition: policy,
}: Pick<ExchangeRow, "arguments" | "effective_policy_definition">): string {
  const found =
    args["x-alternate-exchange"] ?? args["alternate-exchange"] ?? policy["alternate-exchange"]
  return typeof found === "string" ? found : ""
}

function VhostTopology({ vhost }: { vhost: string }): JSX.Element {
  const { graph, error, isCut, retry } = useTopology(vhost)
  const answer = useSignal<RouteAnswer | null>(null)
  return (
    <>
      {error !== null && <ErrorBanner error={error} retry={retry} />}
      {isCut && (
        <Banner tone="warn">
          This virtual host has more than {formatNumber(ROWS_MAX)} exchanges, queues or bindings;
          the picture is made of the first ones. The tester knows all.
        </Banner>
      )}
      <div class="topology-parts">
        <Panel class="topology-panel">
          {graph === null && error === null && <Loading lines={8} />}
          {graph !== null && <Picture vhost={vhost} graph={graph} answer={answer} />}
        </Panel>
        <Panel title="Test a route" class="topology-tester">
          <RouteTester vhost={vhost} answer={answer} />
        </Panel>
      </div>
    </>
  )
}

interface PictureProps {
  readonly vhost: string
  readonly graph: Graph
  readonly answer: Signal<RouteAnswer | null>
}

function Picture({ vhost, graph, answer }: PictureProps): JSX.Element {
  const text = useSignal(location.peek().query["name"] ?? "")
  const withUnbound = preference("topology.unbound", false)
  const zoom = useSignal(0)
  const chosen = useSignal("")
  const pointed = useSignal("")
  const tested = useMemo(() => highlightOf(answer.value), [answer.value])
  const { layout, wantedCount } = useMemo(() => {
    const selection = selectGraph(graph, {
      text: text.value,
      withUnbound: withUnbound.value,
      max: NODES_MAX,
    })
    return { layout: layOut(selection.graph), wantedCount: selection.wantedCount }
  }, [graph, text.value, withUnbound.value])
  return (
    <>
      <PictureTools vhost={vhost} text={text} withUnbound={withUnbound} zoom={zoom} />
      {wantedCount > layout.nodes.length && (
        <Banner>
          Showing {formatNumber(layout.nodes.length)} of {formatNumber(wantedCount)} exchanges and
          queues, those with most bindings. Filter by a name to see the others.
        </Banner>
      )}
      {layout.nodes.length === 0 ? (
        <Empty icon="graph" title={text.value === "" ? "Nothing is bound here" : "Nothing matches"}>
          {text.value === "" ? (
            <>
              Bind queues to <a href="#/exchanges">exchanges</a>, or show what is bound to nothing.
            </>
          ) : (
            "The filter looks for a part of a name of an exchange or queue."
          )}
        </Empty>
      ) : (
        <TopologyGraph
          layout={layout}
          zoom={zoom}
          chosen={chosen}
          pointed={pointed}
          tested={tested}
        />
      )}
      <Chosen vhost={vhost} graph={graph} id={chosen.value} />
    </>
  )
}

interface ToolsProps {
  readonly vhost: string
  readonly text: Signal<string>
  readonly withUnbound: Signal<boolean>
  readonly zoom: Signal<number>
}

function PictureTools({ vhost, text, withUnbound, zoom }: ToolsProps): JSX.Element {
  const chosenVhost = useSignal(vhost)
  useEffect(() => {
    if (chosenVhost.value !== vhost) setQuery({ vhost: chosenVhost.value, exchange: "", key: "" })
  }, [chosenVhost.value])
  const step = (by: number): void => {
    zoom.value = ZOOMS[ZOOMS.indexOf(zoom.value) + by] ?? zoom.value
  }
  return (
    <div class="topology-tools">
      <Field label="Filter" value={text} type="search" placeholder="Part of a name" />
      {currentVhost.value === "" && vhostNames.value.length > 1 && (
        <Select label="Virtual host" value={chosenVhost} options={vhostNames.value} />
      )}
      <Checkbox label="Show what is bound to nothing" value={withUnbound} />
      <span class="topology-zoom" role="group" aria-label="Zoom">
        <Button label="Smaller" icon="minus" onClick={() => step(-1)} />
        <span class="muted">{Math.round(zoom.value * 100)} %</span>
        <Button label="Larger" icon="plus" onClick={() => step(1)} />
      </span>
    </div>
  )
}

/** The way from the picture to the page of what was chosen in it. */
function Chosen({ vhost, graph, id }: { vhost: string; graph: Graph; id: string }): JSX.Element {
  const node = graph.nodes.find((one) => one.id === id)
  const to = graph.edges.filter(({ from }) => from === id).length
  const from = graph.edges.filter((edge) => edge.to === id).length
  if (node === undefined)
    return (
      <p class="topology-chosen muted">
        Choose an exchange or queue to see the paths through it. Round: exchange. Square: queue.
      </p>
    )
  const isQueue = node.kind === "queue"
  return (
    <p class="topology-chosen" aria-live="polite">
      <strong>{shownName(node.name)}</strong>{" "}
      <span class="muted">
        {node.note}. Connected from {from}
        {!isQueue && `, to ${String(to)}`}.
      </span>{" "}
      <a
        href={
          isQueue ? href(["queues", vhost, node.name]) : exchangeHref({ vhost, name: node.name })
        }
      >
        Open {node.kind}
      </a>
    </p>
  )
}

function highlightOf(answer: RouteAnswer | null): Highlight | null {
  if (answer === null) return null
  const nodes = new Set<string>(answer.exchanges.map(({ name }) => nodeId("exchange", name)))
  for (const name of answer.queues) nodes.add(nodeId("queue", name))
  const edges = new Set(
    answer.path.map((step) =>
      edgeId(
        nodeId("exchange", step.source),
        nodeId(step.destination_type, step.destination),
        step.via === "alternate-exchange",
      ),
    ),
  )
  return { nodes, edges }
}
