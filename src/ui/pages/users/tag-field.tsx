import type { Signal } from "@preact/signals"
import type { JSX } from "preact"
import { Field } from "../../components/form.tsx"
import { TAGS } from "./types.ts"

/** The tags of a user: the known ones as chips that say what they allow, others typed. */
export function splitTags(text: string): string[] {
  return [...new Set(text.split(",").map((tag) => tag.trim()))].filter((tag) => tag !== "")
}

export function TagField({ value }: { value: Signal<string> }): JSX.Element {
  const tags = splitTags(value.value)
  return (
    <div class="stack is-tight">
      <Field
        label="Tags"
        value={value}
        placeholder="none: may use AMQP, not this UI"
        hint="Separated by commas. Without a tag the user can only publish and consume."
      />
      <div class="row" role="group" aria-label="Known ones">
        {TAGS.map(([tag, help]) => (
          <button
            type="button"
            class="chip"
            key={tag}
            title={help}
            aria-pressed={tags.includes(tag)}
            onClick={() => {
              const next = tags.includes(tag) ? tags.filter((one) => one !== tag) : [...tags, tag]
              value.value = next.join(", ")
            }}
          >
            {tag}
          </button>
        ))}
      </div>
    </div>
  )
}
