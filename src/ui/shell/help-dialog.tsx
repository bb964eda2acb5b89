import type { JSX } from "preact"
import { Dialog } from "../components/dialog.tsx"
import { GO_TO, isHelpOpen } from "../core/keyboard.ts"

/** The keys, on `?`. */
const KEYS: readonly (readonly [keys: string, does: string])[] = [
  ["/", "Search in the table"],
  ["↑ ↓", "Go through the rows"],
  ["Home End", "First and last row"],
  ["Enter", "Open the row"],
  ["Space", "Select the row"],
  ["r", "Refresh now"],
  ["Esc", "Close"],
  ["?", "This help"],
]

export function HelpDialog(): JSX.Element | null {
  if (!isHelpOpen.value) return null
  const go = Object.entries(GO_TO).map(([key, [label]]): readonly [string, string] => [
    `g ${key}`,
    label,
  ])
  return (
    <Dialog
      title="Keys"
      onClose={() => {
        isHelpOpen.value = false
      }}
    >
      <div class="keys">
        {[KEYS, go].map((list, index) => (
          <dl key={index}>
            {list.map(([keys, does]) => (
              <div key={keys}>
                <dt>
                  {keys.split(" ").map((key) => (
                    <kbd key={key}>{key}</kbd>
                  ))}
                </dt>
                <dd>{does}</dd>
              </div>
            ))}
          </dl>
        ))}
      </div>
    </Dialog>
  )
}
