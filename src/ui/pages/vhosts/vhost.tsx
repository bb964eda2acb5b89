import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { Badge, Button, KeyValues, Panel, Tile, Tiles } from "../../components/basics.tsx"
import { ThingPage } from "../../components/thing-page.tsx"
import { TrafficCharts } from "../../components/traffic-charts.tsx"
import { act } from "../../core/act.ts"
import { del, post } from "../../core/api.ts"
import { confirm } from "../../core/confirm.ts"
import { leaveTo } from "../../core/leave.ts"
import { may } from "../../core/session.ts"
import { usePoll } from "../../core/use-poll.ts"
import { loadVhosts } from "../../core/vhosts.ts"
import { formatByteRate, formatRate, formatShort } from "../../lib/format.ts"
import { apiPath, href, withQuery } from "../../lib/route.ts"
import { MESSAGE_SAMPLES } from "../../lib/samples.ts"
import type { Params } from "../../lib/route.ts"
import { LimitsPanel, VHOST_LIMITS } from "../limits/limits-panel.tsx"
import { rateOf } from "../overview/types.ts"
import { Permissions, TopicPermissions } from "../users/permissions.tsx"
import type { VhostRow } from "./types.ts"
import { VhostForm } from "./vhost-form.tsx"

/** One vhost: its traffic, metadata, limits and permissions. */
export function Vhost({ params: { name = "" } }: { params: Params }): JSX.Element {
  const poll = usePoll<VhostRow>(apiPath`vhosts/${name}`)
  const description = poll.state.value.data?.description
  const isEditing = useSignal(false)
  return (
    <ThingPage
      poll={poll}
      title={name}
      about={description === "" ? undefined : description}
      parent={{ label: "Virtual hosts", href: "#/vhosts" }}
      badges={(vhost) =>
        vhost.protected_from_deletion && <Badge title="Cannot be deleted">protected</Badge>
      }
      actions={(vhost) =>
        may("administrator") && <Actions vhost={vhost} onEdit={() => (isEditing.value = true)} />
      }
    >
      {(vhost, receivedMs) => (
        <>
          <Traffic vhost={vhost} receivedMs={receivedMs} />
          {may("administrator") && (
            <>
              <div class="columns">
                <Details vhost={vhost} />
                <LimitsPanel kind="vhost" name={name} limits={vhost.limits} known={VHOST_LIMITS} />
              </div>
              <Permissions subject={{ vhost: name }} />
              <TopicPermissions subject={{ vhost: name }} />
            </>
          )}
          {isEditing.value && <VhostForm row={vhost} onClose={() => (isEditing.value = false)} />}
        </>
      )}
    </ThingPage>
  )
}

function Actions({ vhost, onEdit }: { vhost: VhostRow; onEdit: () => void }): JSX.Element {
  const { name, protected_from_deletion: isProtected } = vhost
  const path = apiPath`vhosts/${name}/deletion/protection`
  return (
    <>
      <Button icon="edit" onClick={onEdit}>
        Edit
      </Button>
      <Button
        icon="shield"
        onClick={() =>
          void act(
            () => (isProtected ? del(path) : post(path)),
            isProtected ? `${name} can be deleted now` : `${name} is protected`,
          )
        }
      >
        {isProtected ? "Unprotect" : "Protect"}
      </Button>
      <Button
        kind="danger"
        icon="trash"
        isDisabled={isProtected}
        title={isProtected ? "Take back the protection first" : "Delete with all that is in it"}
        onClick={() => void remove(vhost)}
      >
        Delete
      </Button>
    </>
  )
}

async function remove({ name, messages }: VhostRow): Promise<void> {
  const isSure = await confirm({
    title: "Delete virtual host",
    text: `${name} goes with its exchanges, queues, policies and permissions, and with ${formatShort(messages)} messages. Its connections are closed. This cannot be taken back.`,
    action: "Delete virtual host",
    isDangerous: true,
    typed: name,
  })
  if (!isSure) return
  await act(async () => {
    await del(apiPath`vhosts/${name}`)
    await leaveTo(href(["vhosts"]))
    await loadVhosts()
  }, `Deleted ${name}`)
}

function Traffic({ vhost, receivedMs }: { vhost: VhostRow; receivedMs: number }): JSX.Element {
  const { message_stats: stats, messages_ready: ready, messages_unacknowledged: unacked } = vhost
  return (
    <>
      <Tiles>
        <Tile label="Ready" value={formatShort(ready)} note={`${formatShort(unacked)} unacked`} />
        <Tile label="Publish" value={formatRate(rateOf(stats, "publish").rate)} />
        <Tile
          label="Deliver"
          value={formatRate(rateOf(stats, "deliver_get").rate)}
          note={`${formatRate(rateOf(stats, "ack").rate)} acked`}
        />
        <Tile label="Received" value={formatByteRate(vhost.recv_oct_details.rate)} />
        <Tile label="Sent" value={formatByteRate(vhost.send_oct_details.rate)} />
      </Tiles>
      <TrafficCharts
        seedPath={withQuery(apiPath`vhosts/${vhost.name}`, MESSAGE_SAMPLES)}
        counts={{ ...vhost }}
        stats={stats}
        receivedMs={receivedMs}
      />
    </>
  )
}

function Details({ vhost }: { vhost: VhostRow }): JSX.Element {
  return (
    <Panel title="Virtual host">
      <KeyValues
        items={[
          [
            "Description",
            vhost.description === "" ? <span class="muted">none</span> : vhost.description,
          ],
          [
            "Tags",
            vhost.tags.length === 0
              ? null
              : vhost.tags.map((tag) => <Badge key={tag}>{tag}</Badge>),
          ],
          [
            "Default queue type",
            vhost.default_queue_type ?? <span class="muted">not set: classic</span>,
          ],
          ["Deletion", vhost.protected_from_deletion ? "protected" : "allowed"],
          ["Folder", vhost.dir === "" ? null : <code>{vhost.dir}</code>],
        ]}
      />
    </Panel>
  )
}
