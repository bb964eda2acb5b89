import type { JSX } from "preact"

/** JSON that folds. Long lists show their beginning: the text view has all of it. */
const CHILDREN_MAX = 200
const OPEN_DEPTH = 2

export function JsonTree({ value }: { readonly value: unknown }): JSX.Element {
  return (
    <div class="json-tree mono" tabIndex={0}>
      <Node value={value} depth={0} />
    </div>
  )
}

interface NodeProps {
  readonly name?: string
  readonly value: unknown
  readonly depth: number
}

function Node({ name, value, depth }: NodeProps): JSX.Element {
  const label = name === undefined ? null : <span class="json-key">{name}: </span>
  if (typeof value !== "object" || value === null)
    return (
      <div>
        {label}
        <span class={`json-${value === null ? "null" : typeof value}`}>
          {JSON.stringify(value)}
        </span>
      </div>
    )
  const entries = Object.entries(value)
  const isList = Array.isArray(value)
  const size = isList ? `[${String(entries.length)}]` : `{${String(entries.length)}}`
  if (entries.length === 0)
    return (
      <div>
        {label}
        {isList ? "[]" : "{}"}
      </div>
    )
  return (
    <details open={depth < OPEN_DEPTH && entries.length <= 50}>
      <summary>
        {label}
        <span class="muted">{size}</span>
      </summary>
      <div class="json-children">
        {entries.slice(0, CHILDREN_MAX).map(([key, one]) => (
          <Node key={key} name={key} value={one} depth={depth + 1} />
        ))}
        {entries.length > CHILDREN_MAX && (
          <div class="muted">{entries.length - CHILDREN_MAX} more</div>
        )}
      </div>
    </details>
  )
}
