import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { Button } from "../components/basics.tsx"
import { Dialog } from "../components/dialog.tsx"
import { Field } from "../components/form.tsx"
import { asked } from "../core/confirm.ts"
import type { Asked } from "../core/confirm.ts"

/** Draws core/confirm.ts. */
const ITEMS_SHOWN = 20

export function ConfirmDialog(): JSX.Element | null {
  return asked.value === null ? null : <Confirm key={asked.value.question.title} {...asked.value} />
}

function Confirm({ question, answer }: Asked): JSX.Element {
  const { title, text, action, isDangerous = false, typed, items = [] } = question
  const written = useSignal("")
  const mayGo = typed === undefined || written.value === typed
  return (
    <Dialog title={title} onClose={() => answer(false)}>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault()
          if (mayGo) answer(true)
        }}
      >
        <p>{text}</p>
        {items.length > 0 && (
          <ul class="confirm-items mono">
            {items.slice(0, ITEMS_SHOWN).map((item) => (
              <li key={item}>{item}</li>
            ))}
            {items.length > ITEMS_SHOWN && <li>and {items.length - ITEMS_SHOWN} more</li>}
          </ul>
        )}
        {typed !== undefined && (
          <Field label={`Type ${typed} to go on`} value={written} isMono hasFocus />
        )}
        <div class="form-actions">
          <Button onClick={() => answer(false)}>
            {action.startsWith("Cancel") ? "Keep" : "Cancel"}
          </Button>
          <Button type="submit" kind={isDangerous ? "danger" : "primary"} isDisabled={!mayGo}>
            {action}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
