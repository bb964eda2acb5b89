import type { JSX } from "preact"
import { useRef } from "preact/hooks"
import { closeOutside } from "../../components/close-outside.ts"

/** Actions that are needed seldom, behind one button. It closes when one is chosen. */
export interface MenuItem {
  readonly label: string
  readonly isDangerous?: boolean
  readonly run: () => void
}

export function MoreMenu({ items }: { readonly items: readonly MenuItem[] }): JSX.Element {
  const menu = useRef<HTMLDetailsElement>(null)
  return (
    <details class="menu" ref={menu} onBlur={closeOutside}>
      <summary class="button is-plain">More</summary>
      <div class="menu-list">
        {items.map(({ label, isDangerous = false, run }) => (
          <button
            type="button"
            key={label}
            class={isDangerous ? "is-danger" : ""}
            onClick={() => {
              if (menu.current !== null) menu.current.open = false
              run()
            }}
          >
            {label}
          </button>
        ))}
      </div>
    </details>
  )
}
