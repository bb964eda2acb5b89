import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { bestView, bytesOf, hexDump, textOf } from "../lib/message-body.ts"
import type { MessageBody as Body } from "../lib/message-body.ts"
import { formatBytes } from "../lib/format.ts"
import { CopyButton, Tabs } from "./basics.tsx"

/** The body of a message as JSON, text or bytes. More decoders come in as further tabs. */
const SHOWN_MAX = 50_000

export interface Decoder {
  readonly id: string
  readonly label: string
  /** Null if the bytes are nothing for it. */
  readonly decode: (bytes: Uint8Array) => string | null
}

const BUILT_IN: readonly Decoder[] = [
  { id: "json", label: "JSON", decode: (bytes) => prettyJson(textOf(bytes)) },
  { id: "text", label: "Text", decode: textOf },
  { id: "hex", label: "Hex", decode: (bytes) => hexDump(bytes) },
]

export interface MessageBodyProps {
  readonly body: Body
  /** Beside JSON, text and hex. */
  readonly decoders?: readonly Decoder[]
}

export function MessageBody({ body, decoders = [] }: MessageBodyProps): JSX.Element {
  const bytes = bytesOf(body)
  const chosen = useSignal("")
  const views = [...BUILT_IN, ...decoders]
    .map(({ id, label, decode }) => ({ id, label, text: decode(bytes) }))
    .filter(({ text }) => text !== null)
  const view = views.find(({ id }) => id === (chosen.value || bestView(bytes))) ?? views.at(-1)
  const text = view?.text ?? ""
  return (
    <div class="message-body">
      <div class="message-body-head">
        <Tabs
          label="How the body is shown"
          tabs={views}
          active={view?.id ?? ""}
          onSelect={(id) => {
            chosen.value = id
          }}
        />
        <span class="muted">{formatBytes(bytes.length)}</span>
        <CopyButton text={text} label="Copy body" />
      </div>
      <pre class="mono" tabIndex={0}>
        {text.slice(0, SHOWN_MAX)}
      </pre>
      {text.length > SHOWN_MAX && (
        <p class="field-hint">The rest is cut off here; Copy has all of it.</p>
      )}
    </div>
  )
}

function prettyJson(text: string | null): string | null {
  if (text === null || text.trim() === "") return null
  try {
    return JSON.stringify(JSON.parse(text), null, 2)
  } catch {
    return null
  }
}
