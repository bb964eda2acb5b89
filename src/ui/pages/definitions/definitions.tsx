import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { Page, Panel } from "../../components/basics.tsx"
import { Icon } from "../../components/icon.tsx"
import { Select } from "../../components/form.tsx"
import { nowMs } from "../../core/clock.ts"
import { vhostNames } from "../../core/vhosts.ts"
import { apiPath, withQuery } from "../../lib/route.ts"
import { ImportDefinitions } from "./import.tsx"

/** Everything that is declared, as a file: export and import. */
const WHOLE = " whole"

export function Definitions(): JSX.Element {
  return (
    <Page
      title="Definitions"
      about="Users, permissions, policies, exchanges, queues and bindings as one JSON file, the same as RabbitMQ's and LavinMQ's. Without messages."
    >
      <div class="columns">
        <Export />
        <ImportDefinitions />
      </div>
    </Page>
  )
}

function Export(): JSX.Element {
  const what = useSignal(WHOLE)
  const isWhole = what.value === WHOLE
  const day = new Date(nowMs()).toISOString().slice(0, 16).replaceAll(/[T:]/g, "-")
  const file = `definitions-${isWhole ? location.hostname : what.value.replaceAll(/[^\w.-]/g, "_")}-${day}.json`
  const path = isWhole ? "definitions" : apiPath`definitions/${what.value}`
  return (
    <Panel title="Export">
      <div class="form">
        <Select
          label="What"
          value={what}
          options={[
            [WHOLE, "Everything"],
            ...vhostNames.value.map((name) => [name, `Virtual host ${name}`] as const),
          ]}
          hint={
            isWhole
              ? "With users and the hashes of their passwords: keep the file where only you can read it."
              : "Exchanges, queues, bindings, policies and parameters of one virtual host; no users."
          }
        />
        <p class="field-hint">
          Parameters of shovels and federation may hold passwords in their URIs.
        </p>
        <div class="form-actions">
          <a
            class="button is-primary"
            href={`api/${withQuery(path, { download: file })}`}
            download={file}
          >
            <Icon name="download" /> Download
          </a>
        </div>
      </div>
    </Panel>
  )
}
