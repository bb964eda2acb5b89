import type { JSX } from "preact"
import { Button } from "../components/basics.tsx"
import { Icon } from "../components/icon.tsx"
import { dismiss, toasts } from "../core/toasts.ts"

/** Draws core/toasts.ts. */
export function Toasts(): JSX.Element {
  return (
    <div class="toasts" role="region" aria-label="Messages" aria-live="polite">
      {toasts.value.map(({ id, kind, text }) => (
        <div class={`toast is-${kind}`} key={id} role={kind === "error" ? "alert" : "status"}>
          <Icon name={kind === "error" ? "alert" : kind === "success" ? "check" : "info"} />
          <span>{text}</span>
          <Button kind="quiet" icon="close" label="Dismiss" onClick={() => dismiss(id)} />
        </div>
      ))}
    </div>
  )
}
