import type { Signal } from "@preact/signals"
import type { JSX } from "preact"
import { useId } from "preact/hooks"
import type { ArgumentRow, KnownArgument } from "../lib/arguments.ts"
import { parseArguments } from "../lib/arguments.ts"
import { Button } from "./basics.tsx"
import { Icon } from "./icon.tsx"

/** Arguments of a queue, exchange, binding or policy, line by line, with the known ones to choose from. */
export interface ArgumentEditorProps {
  readonly label?: string
  readonly rows: Signal<readonly ArgumentRow[]>
  readonly known: readonly KnownArgument[]
}

export function ArgumentEditor({
  label = "Arguments",
  rows,
  known,
}: ArgumentEditorProps): JSX.Element {
  const change = (index: number, row: Partial<ArgumentRow>): void => {
    rows.value = rows.value.map((old, i) => (i === index ? { ...old, ...row } : old))
  }
  const problem = parseArguments(rows.value, known)
  const unused = known.filter(({ name }) => rows.value.every((row) => row.name !== name))
  return (
    <fieldset class="arguments">
      <legend>{label}</legend>
      {rows.value.map((row, index) => (
        <ArgumentLine
          key={index}
          row={row}
          known={known}
          problem={!problem.ok && problem.index === index && row.value !== "" ? problem.reason : ""}
          onChange={(part) => change(index, part)}
          onRemove={() => {
            rows.value = rows.value.filter((_, i) => i !== index)
          }}
        />
      ))}
      <div class="argument-choice" role="group" aria-label={`Add to ${label.toLowerCase()}`}>
        {unused.map((one) => (
          <button
            type="button"
            class="chip"
            key={one.name}
            title={one.help}
            onClick={() => {
              rows.value = [...rows.value, { name: one.name, value: exampleOf(one) }]
            }}
          >
            <Icon name="plus" size={11} /> {one.name}
          </button>
        ))}
        <button
          type="button"
          class="chip"
          onClick={() => {
            rows.value = [...rows.value, { name: "", value: "" }]
          }}
        >
          <Icon name="plus" size={11} /> another one
        </button>
      </div>
    </fieldset>
  )
}

function exampleOf({ example, choices }: KnownArgument): string {
  return String(example ?? choices?.[0] ?? "")
}

interface LineProps {
  readonly row: ArgumentRow
  readonly known: readonly KnownArgument[]
  readonly problem: string
  readonly onChange: (row: Partial<ArgumentRow>) => void
  readonly onRemove: () => void
}

function ArgumentLine({ row, known, problem, onChange, onRemove }: LineProps): JSX.Element {
  const id = useId()
  const found = known.find(({ name }) => name === row.name)
  const choices = found?.type === "boolean" ? ["true", "false"] : found?.choices
  const setValue = (event: { currentTarget: { value: string } }): void =>
    onChange({ value: event.currentTarget.value })
  return (
    <div class="argument">
      <input
        class="mono"
        value={row.name}
        placeholder="name"
        aria-label="Name"
        spellcheck={false}
        onInput={(event) => onChange({ name: event.currentTarget.value })}
      />
      {choices === undefined ? (
        <input
          class="mono"
          value={row.value}
          placeholder={found === undefined ? "JSON or text" : found.type}
          aria-label={`Value of ${row.name}`}
          aria-describedby={id}
          aria-invalid={problem !== ""}
          spellcheck={false}
          inputMode={found?.type === "number" ? "numeric" : "text"}
          onInput={setValue}
        />
      ) : (
        <select value={row.value} aria-label={`Value of ${row.name}`} onChange={setValue}>
          {choices.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
      )}
      <Button kind="quiet" icon="trash" label={`Remove ${row.name}`} onClick={onRemove} />
      <p class={problem === "" ? "field-hint" : "field-hint is-danger"} id={id}>
        {problem === "" ? found?.help : problem}
      </p>
    </div>
  )
}
