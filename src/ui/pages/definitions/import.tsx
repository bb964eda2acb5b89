import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { useId } from "preact/hooks"
import { Banner, Panel } from "../../components/basics.tsx"
import { Form, Select } from "../../components/form.tsx"
import { request } from "../../core/api.ts"
import { toast } from "../../core/toasts.ts"
import { refreshAll } from "../../core/use-poll.ts"
import { loadVhosts, vhostNames } from "../../core/vhosts.ts"
import { previewDefinitions } from "../../lib/definitions-preview.ts"
import type { DefinitionsPreview } from "../../lib/definitions-preview.ts"
import { formatBytes, formatNumber } from "../../lib/format.ts"
import { apiPath } from "../../lib/route.ts"

/** A file is chosen or dropped, told what it holds, and then sent. */
interface Chosen {
  readonly file: File
  readonly preview: DefinitionsPreview
}

const EACH = " each"

export function ImportDefinitions(): JSX.Element {
  const chosen = useSignal<Chosen | null>(null)
  const problem = useSignal("")
  const target = useSignal(EACH)
  const done = useSignal("")
  const read = async (file: File | undefined): Promise<void> => {
    if (file === undefined) return
    chosen.value = null
    problem.value = ""
    done.value = ""
    try {
      const preview = previewDefinitions(await file.text())
      chosen.value = { file, preview }
      target.value = preview.isOneVhost ? (vhostNames.value[0] ?? EACH) : EACH
    } catch (error) {
      problem.value = `${file.name}: ${error instanceof Error ? error.message : String(error)}`
    }
  }
  const submit = async (): Promise<void> => {
    if (chosen.value === null) throw new Error("Choose a file first.")
    done.value = ""
    const { file } = chosen.value
    const path = target.value === EACH ? "definitions" : apiPath`definitions/${target.value}`
    await request("POST", path, { raw: file })
    done.value = `Imported ${file.name}. Importing it again changes nothing.`
    toast("success", `Imported ${file.name}`)
    chosen.value = null
    await loadVhosts()
    refreshAll()
  }
  return (
    <Panel title="Import">
      <Form action="Import" onSubmit={submit}>
        <FileDrop onFile={(file) => void read(file)} name={chosen.value?.file.name ?? ""} />
        {problem.value !== "" && <Banner tone="danger">{problem.value}</Banner>}
        {done.value !== "" && <Banner tone="ok">{done.value}</Banner>}
        {chosen.value !== null && <Preview {...chosen.value} isIntoOne={target.value !== EACH} />}
        <Select
          label="Into"
          value={target}
          options={[
            [EACH, "the virtual hosts that the file names"],
            ...vhostNames.value.map((name) => [name, `virtual host ${name}`] as const),
          ]}
        />
        <p class="field-hint">
          Users, permissions, policies and parameters are set; queues and exchanges that exist stay
          as they are. Nothing is deleted. A file of the wrong form changes nothing.
        </p>
      </Form>
    </Panel>
  )
}

function FileDrop({
  onFile,
  name,
}: {
  onFile: (file: File | undefined) => void
  name: string
}): JSX.Element {
  const id = useId()
  const isOver = useSignal(false)
  return (
    <div
      class={`file-drop ${isOver.value ? "is-over" : ""}`}
      onDragOver={(event) => {
        event.preventDefault()
        isOver.value = true
      }}
      onDragLeave={() => (isOver.value = false)}
      onDrop={(event) => {
        event.preventDefault()
        isOver.value = false
        onFile(event.dataTransfer?.files[0])
      }}
    >
      <label for={id}>File of definitions</label>
      <input
        id={id}
        type="file"
        accept=".json,application/json"
        onChange={(event) => onFile(event.currentTarget.files?.[0])}
      />
      <span class="muted">{name === "" ? "or drop it here" : name}</span>
    </div>
  )
}

/** A file for one vhost passes over what belongs to the broker. */
const OF_BROKER = new Set([
  "users",
  "vhosts",
  "permissions",
  "topic_permissions",
  "global_parameters",
])

function Preview({ file, preview, isIntoOne }: Chosen & { isIntoOne: boolean }): JSX.Element {
  return (
    <div class="stack is-tight" role="status">
      <p>
        <strong>{file.name}</strong>, {formatBytes(file.size)}, of {preview.product}
        {preview.isOneVhost && ", one virtual host"}
      </p>
      {preview.isOneVhost && !isIntoOne && (
        <Banner tone="warn">
          This is the file of one virtual host: choose below where it goes.
        </Banner>
      )}
      {preview.unknownKeys.length > 0 && (
        <Banner tone="warn">
          Not known here and passed over: {preview.unknownKeys.join(", ")}
        </Banner>
      )}
      <table class="preview-table">
        <caption class="sr-only">What the file holds</caption>
        <tbody>
          {preview.sections.map(({ name, count, examples }) => {
            const isLeftOut = isIntoOne && OF_BROKER.has(name)
            return (
              <tr key={name} class={isLeftOut || count === 0 ? "zero" : ""}>
                <th scope="row">{name.replaceAll("_", " ")}</th>
                <td class="is-number">{formatNumber(count)}</td>
                <td>
                  {isLeftOut
                    ? "left out"
                    : `${examples.join(", ")}${count > examples.length ? ", …" : ""}`}
                </td>
              </tr>
            )
          })}
        </tbody>
      </table>
    </div>
  )
}
