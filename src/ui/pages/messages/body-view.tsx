import { useSignal } from "@preact/signals"
import type { ComponentChildren, JSX } from "preact"
import { useEffect, useMemo } from "preact/hooks"
import { Button, CopyButton, Tabs } from "../../components/basics.tsx"
import { formatBytes } from "../../lib/format.ts"
import { bestView, bytesOf, hexDump, textOf } from "../../lib/message-body.ts"
import { compressionOf, unpack } from "./compression.ts"
import type { Unpacked } from "./compression.ts"
import { fileName } from "./deaths.ts"
import { JsonTree } from "./json-tree.tsx"
import { protobufText } from "./protobuf.ts"
import { propertyText } from "./types.ts"
import type { Message } from "./types.ts"

/** The body of a message: JSON as a tree or text, text, bytes, unpacked, raw fields of protocol buffers. */
const SHOWN_MAX = 50_000
const HEX_MAX = 16 << 10

type Bytes = Uint8Array<ArrayBuffer>

interface View {
  readonly id: string
  readonly label: string
  /** Made only when it is looked at. */
  readonly text: () => string
  readonly json?: unknown
}

export interface BodyViewProps {
  readonly message: Message
  /** Of a download. */
  readonly name: string
  /** Only the beginning is there. */
  readonly loadAll: (() => void) | null
}

export function BodyView({ message, name, loadAll }: BodyViewProps): JSX.Element {
  const packed = useMemo(() => bytesOf(message), [message.payload, message.payload_encoding])
  const unpacked = useUnpacked(packed)
  const isPacked = useSignal(false)
  const isShownPacked = isPacked.value || unpacked === null
  const bytes = isShownPacked ? packed : unpacked.bytes
  const isCut = packed.length < message.payload_bytes
  return (
    <div class="body-view">
      <Views
        key={isShownPacked ? "packed" : "unpacked"}
        bytes={bytes}
        type={propertyText(message.properties, "content_type")}
        actions={<DownloadButton message={message} bytes={packed} name={name} />}
      />
      {unpacked !== null && (
        <p class="field-hint">
          {isShownPacked
            ? "These are the compressed bytes."
            : `Unpacked from ${formatBytes(packed.length)} to ${unpacked.isCut ? "more than " : ""}${formatBytes(unpacked.bytes.length)}.`}{" "}
          <button type="button" class="link" onClick={() => (isPacked.value = !isPacked.value)}>
            {isShownPacked ? "Show unpacked" : "Show as it is"}
          </button>
        </p>
      )}
      {isCut && (
        <p class="field-hint">
          The first {formatBytes(packed.length)} of {formatBytes(message.payload_bytes)}.{" "}
          {loadAll !== null && <Button onClick={loadAll}>Load all of it</Button>}
        </p>
      )}
    </div>
  )
}

function useUnpacked(bytes: Bytes): Unpacked | null {
  const result = useSignal<Unpacked | null>(null)
  useEffect(() => {
    let isStale = false
    const format = compressionOf(bytes)
    result.value = null
    const run = async (): Promise<void> => {
      const found = format === null ? null : await unpack(bytes, format)
      if (!isStale) result.value = found
    }
    void run()
    return () => {
      isStale = true
    }
  }, [bytes])
  return result.value
}

interface ViewsProps {
  readonly bytes: Bytes
  readonly type: string
  readonly actions: ComponentChildren
}

function Views({ bytes, type, actions }: ViewsProps): JSX.Element {
  const chosen = useSignal("")
  const views = useMemo(() => viewsOf(bytes), [bytes])
  const view = views.find(({ id }) => id === (chosen.value || initialView(bytes, type))) ?? views[0]
  const text = useMemo(() => view?.text() ?? "", [view])
  return (
    <>
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
        <span class="row-tight">
          <CopyButton text={text} label="Copy body" />
          {actions}
        </span>
      </div>
      {view?.id === "tree" ? (
        <JsonTree value={view.json} />
      ) : (
        <pre class="mono" tabIndex={0} aria-label="Body">
          {text.slice(0, SHOWN_MAX)}
        </pre>
      )}
      {text.length > SHOWN_MAX && view?.id !== "tree" && (
        <p class="field-hint">The rest is not shown; Copy and Download have all of it.</p>
      )}
      {bytes.length === 0 && <p class="field-hint">The body is empty.</p>}
    </>
  )
}

/** Those that can show these bytes. */
function viewsOf(bytes: Bytes): View[] {
  const views: View[] = []
  const text = textOf(bytes)
  const json = text === null || bytes.length === 0 ? undefined : parsed(text)
  if (json !== undefined) {
    const pretty = (): string => JSON.stringify(json, null, 2)
    views.push({ id: "json", label: "JSON", text: pretty })
    if (typeof json === "object" && json !== null)
      views.push({ id: "tree", label: "Tree", text: pretty, json })
  }
  if (text !== null) views.push({ id: "text", label: "Text", text: () => text })
  views.push({ id: "hex", label: "Hex", text: () => hexDump(bytes, HEX_MAX) })
  const fields = text !== null && json !== undefined ? null : protobufText(bytes)
  if (fields !== null) views.push({ id: "protobuf", label: "Protobuf", text: () => fields })
  return views
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function initialView(bytes: Bytes, type: string): string {
  return /protobuf|x-proto|grpc/.test(type) ? "protobuf" : bestView(bytes)
}

function DownloadButton(props: { message: Message; bytes: Bytes; name: string }): JSX.Element {
  const { message, bytes, name } = props
  const download = (): void => {
    const url = URL.createObjectURL(new Blob([bytes], { type: "application/octet-stream" }))
    const link = document.createElement("a")
    link.href = url
    link.download = fileName(message, name, textOf(bytes) !== null)
    link.click()
    URL.revokeObjectURL(url)
  }
  return (
    <Button
      kind="quiet"
      icon="download"
      label={bytes.length < message.payload_bytes ? "Download the beginning" : "Download body"}
      onClick={download}
    />
  )
}
