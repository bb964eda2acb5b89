import type { ComponentChildren, JSX } from "preact"
import { useEffect, useId, useRef } from "preact/hooks"
import { Button } from "./basics.tsx"

/** A window over the page, the browser's own `<dialog>`: Esc closes it, the focus stays inside. */
export interface DialogProps {
  readonly title: string
  readonly onClose: () => void
  readonly isWide?: boolean
  /** Slides in from the right, for long forms and details. */
  readonly isDrawer?: boolean
  readonly children: ComponentChildren
}

export function Dialog(props: DialogProps): JSX.Element {
  const { title, onClose, isWide = false, isDrawer = false, children } = props
  const ref = useRef<HTMLDialogElement>(null)
  const id = useId()
  useEffect(() => {
    const opener = document.activeElement
    ref.current?.showModal()
    return () => {
      if (opener instanceof HTMLElement) opener.focus()
    }
  }, [])
  const kind = isDrawer ? "is-drawer" : isWide ? "is-wide" : ""
  return (
    <dialog
      ref={ref}
      class={`dialog ${kind}`}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault()
        onClose()
      }}
    >
      <header class="dialog-head">
        <h2 id={id}>{title}</h2>
        <Button kind="quiet" icon="close" label="Close" onClick={onClose} />
      </header>
      <div class="dialog-body">{children}</div>
    </dialog>
  )
}
