import { signal, useSignal } from "@preact/signals"
import type { Signal } from "@preact/signals"
import type { JSX } from "preact"
import { ArgumentEditor } from "../../components/argument-editor.tsx"
import { FormDialog } from "../../components/form-dialog.tsx"
import { Field, FieldRow, Select } from "../../components/form.tsx"
import { put } from "../../core/api.ts"
import { usePoll } from "../../core/use-poll.ts"
import { defaultVhost, vhostNames } from "../../core/vhosts.ts"
import { parseArguments, toRows } from "../../lib/arguments.ts"
import type { ArgumentRow } from "../../lib/arguments.ts"
import { UPSTREAM_KEYS } from "../../lib/link-arguments.ts"
import { apiPath } from "../../lib/route.ts"
import { textOf } from "../shovels/types.ts"
import type { UpstreamRow, UpstreamSetRow } from "./types.ts"

/** A set of upstreams, each with keys that hold in the set instead of its own. */
export interface SetFormProps {
  readonly row: UpstreamSetRow | null
  readonly onClose: () => void
}

interface Member {
  readonly name: string
  readonly rows: Signal<readonly ArgumentRow[]>
}

function memberOf({ upstream, ...keys }: Readonly<Record<string, unknown>>): Member {
  return { name: textOf(upstream), rows: signal(toRows(keys)) }
}

export function SetForm({ row, onClose }: SetFormProps): JSX.Element {
  const name = useSignal(row?.name ?? "")
  const vhost = useSignal(row?.vhost ?? defaultVhost.value)
  const members = useSignal<readonly Member[]>(row?.value.map(memberOf) ?? [])
  const submit = async (): Promise<string> => {
    if (members.value.length === 0) throw new Error("Choose at least one upstream.")
    const value = members.value.map(({ name: upstream, rows }) => {
      const parsed = parseArguments(rows.value, UPSTREAM_KEYS)
      if (!parsed.ok) throw new Error(`${upstream}: ${parsed.reason}`)
      return { upstream, ...parsed.value }
    })
    await put(apiPath`parameters/federation-upstream-set/${vhost.value}/${name.value}`, { value })
    return `${row === null ? "Added" : "Changed"} ${name.value}`
  }
  const isFixed = row !== null
  return (
    <FormDialog
      title={isFixed ? `Edit ${row.name}` : "Add upstream set"}
      isDrawer
      action={isFixed ? "Save upstream set" : "Add upstream set"}
      onSubmit={submit}
      onClose={onClose}
    >
      <FieldRow>
        <Field label="Name" value={name} isRequired isDisabled={isFixed} hasFocus={!isFixed} />
        <Select
          label="Virtual host"
          value={vhost}
          options={vhostNames.value}
          isDisabled={isFixed}
        />
      </FieldRow>
      <Members vhost={vhost.value} members={members} />
    </FormDialog>
  )
}

interface MembersProps {
  readonly vhost: string
  readonly members: Signal<readonly Member[]>
}

function Members({ vhost, members }: MembersProps): JSX.Element {
  const { data } = usePoll<readonly UpstreamRow[]>(apiPath`parameters/federation-upstream/${vhost}`)
    .state.value
  const chosen = members.value.map((one) => one.name)
  const names = [...new Set([...(data?.map((one) => one.name) ?? []), ...chosen])]
  return (
    <>
      <fieldset class="arguments">
        <legend>Upstreams of the set</legend>
        <div class="row">
          {names.map((one) => (
            <button
              type="button"
              class="chip"
              key={one}
              aria-pressed={chosen.includes(one)}
              onClick={() => {
                members.value = chosen.includes(one)
                  ? members.value.filter((other) => other.name !== one)
                  : [...members.value, memberOf({ upstream: one })]
              }}
            >
              {one}
            </button>
          ))}
          {names.length === 0 && (
            <span class="muted">This virtual host has no upstreams yet: add one first.</span>
          )}
        </div>
      </fieldset>
      {members.value.map((one) => (
        <ArgumentEditor
          key={one.name}
          label={`In this set, instead of what ${one.name} says`}
          rows={one.rows}
          known={UPSTREAM_KEYS}
        />
      ))}
    </>
  )
}
