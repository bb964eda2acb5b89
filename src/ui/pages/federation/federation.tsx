import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { Banner, Button, Page, Tabs } from "../../components/basics.tsx"
import { location, setQuery } from "../../core/router.ts"
import { Links } from "./links.tsx"
import { SetForm } from "./set-form.tsx"
import type { UpstreamRow, UpstreamSetRow } from "./types.ts"
import { UpstreamForm } from "./upstream-form.tsx"
import { UpstreamSets, Upstreams } from "./upstreams.tsx"

/** Federation: links, upstreams and sets of them. */
const TABS = [
  { id: "links", label: "Links" },
  { id: "upstreams", label: "Upstreams" },
  { id: "sets", label: "Upstream sets" },
]

export function Federation(): JSX.Element {
  const tab = location.value.query["tab"] ?? "links"
  const upstream = useSignal<UpstreamRow | "new" | null>(null)
  const set = useSignal<UpstreamSetRow | "new" | null>(null)
  const isSets = tab === "sets"
  const add = (): void => {
    if (isSets) set.value = "new"
    else upstream.value = "new"
  }
  return (
    <Page
      title="Federation"
      about="Exchanges and queues here get messages of other brokers: add an upstream, then a policy that uses it."
      actions={
        <Button kind="primary" icon="plus" onClick={add}>
          {isSets ? "Add upstream set" : "Add upstream"}
        </Button>
      }
    >
      <Tabs
        label="Federation"
        tabs={TABS}
        active={tab}
        onSelect={(id) => setQuery({ tab: id === "links" ? "" : id })}
      />
      {tab === "links" && <Links onAdd={add} />}
      {tab === "upstreams" && <Upstreams onAdd={add} onEdit={(row) => (upstream.value = row)} />}
      {isSets && (
        <>
          <Banner>
            The set <strong>all</strong> is always there: it has every upstream of the virtual host.
          </Banner>
          <UpstreamSets onAdd={add} onEdit={(row) => (set.value = row)} />
        </>
      )}
      {upstream.value !== null && (
        <UpstreamForm
          row={upstream.value === "new" ? null : upstream.value}
          onClose={() => (upstream.value = null)}
        />
      )}
      {set.value !== null && (
        <SetForm row={set.value === "new" ? null : set.value} onClose={() => (set.value = null)} />
      )}
    </Page>
  )
}
