import type { Signal } from "@preact/signals"
import { useSignal } from "@preact/signals"
import type { ComponentChildren, JSX } from "preact"
import { useEffect, useRef } from "preact/hooks"
import { Button, Empty, ErrorBanner, Loading } from "../../components/basics.tsx"
import { Dialog } from "../../components/dialog.tsx"
import { get, isAbort } from "../../core/api.ts"
import { toast } from "../../core/toasts.ts"
import { formatCount, formatNumber } from "../../lib/format.ts"
import { withQuery } from "../../lib/route.ts"
import { MessageDetail } from "./message-detail.tsx"
import { MessageList } from "./message-list.tsx"
import { SearchBar } from "./search-bar.tsx"
import { SEARCHED_BODY_BYTES } from "./search.ts"
import type { Scan } from "./search.ts"
import type { BrowsedMessage, MessageKind, MessageSource } from "./types.ts"

/**
 * Messages of a queue, of a stream or at a delayed exchange, page by page, without changing them. It is a look at
 * a moment: Reload looks again.
 */
const PAGE_SIZE = 50
const SHOWN_BODY_BYTES = 64 << 10
/** Of one body that is loaded as a whole. */
const WHOLE_BODY_BYTES = 4 << 20

export interface MessageBrowserProps {
  readonly source: MessageSource
  /** Messages that there are, as far as known. */
  readonly count: number | null
  /** The first that there is; of a stream not 0. */
  readonly firstIndex?: number
  readonly name: string
  readonly empty: ComponentChildren
  /** Before the search: what else says where to look. */
  readonly tools?: ComponentChildren
  /** Where to begin; a new object moves there. */
  readonly startAt?: { readonly index: number }
}

function loadMessages(
  { path, kind }: MessageSource,
  query: { readonly offset: number; readonly count: number; readonly truncate: number },
  signal?: AbortSignal,
): Promise<readonly BrowsedMessage[]> {
  const state = kind === "unacked" ? "unacked" : undefined
  return get<readonly BrowsedMessage[]>(withQuery(path, { ...query, state }), {
    ...(signal !== undefined && { signal }),
  })
}

interface PageState {
  readonly messages: readonly BrowsedMessage[] | null
  readonly error: unknown
  readonly isLoading: boolean
}

export function MessageBrowser(props: MessageBrowserProps): JSX.Element {
  const { source, firstIndex = 0 } = props
  const start = useSignal(props.startAt?.index ?? firstIndex)
  const page = useSignal<PageState>({ messages: null, error: null, isLoading: true })
  const found = useSignal<Scan | null>(null)
  const open = useSignal<BrowsedMessage | null>(null)
  const abort = useRef<AbortController | null>(null)
  const load = async (index: number): Promise<void> => {
    abort.current?.abort()
    const mine = new AbortController()
    abort.current = mine
    start.value = index
    page.value = { ...page.value, error: null, isLoading: true }
    try {
      const query = { offset: index, count: PAGE_SIZE, truncate: SHOWN_BODY_BYTES }
      const messages = await loadMessages(source, query, mine.signal)
      page.value = { messages, error: null, isLoading: false }
    } catch (error) {
      if (!isAbort(error)) page.value = { ...page.value, error, isLoading: false }
    }
  }
  useEffect(() => {
    open.value = null
    found.value = null
    page.value = { messages: null, error: null, isLoading: true }
    void load(props.startAt?.index ?? firstIndex)
    return () => abort.current?.abort()
  }, [source.path, source.kind, props.startAt])
  const { messages, error, isLoading } = page.value
  const shown = found.value?.found ?? messages
  return (
    <div class={`table-block message-browser ${isLoading ? "is-loading" : ""}`}>
      <div class="table-toolbar">
        {props.tools}
        <SearchBar
          start={start.value}
          found={found}
          load={(offset, count) =>
            loadMessages(source, { offset, count, truncate: SEARCHED_BODY_BYTES })
          }
        />
      </div>
      {error !== null && <ErrorBanner error={error} retry={() => void load(start.value)} />}
      {shown === null && error === null && <Loading lines={6} />}
      {shown !== null && shown.length > 0 && (
        <ListAndDetail {...props} messages={shown} open={open} />
      )}
      {shown !== null && shown.length === 0 && (
        <Nothing {...props} isSearch={found.value !== null} start={start} load={load} />
      )}
      {found.value === null && messages !== null && (
        <Pager {...props} messages={messages} start={start} load={load} />
      )}
    </div>
  )
}

interface ListProps extends MessageBrowserProps {
  readonly messages: readonly BrowsedMessage[]
  readonly open: Signal<BrowsedMessage | null>
}

const NARROW = matchMedia("(max-width: 1000px)")

/** The message beside the list where there is room, else over it. */
function ListAndDetail({ source, name, messages, open }: ListProps): JSX.Element {
  const message = open.value
  const isPhone = NARROW.matches
  const close = (): void => {
    open.value = null
  }
  const detail = message !== null && (
    <MessageDetail
      key={message.id}
      message={message}
      vhost={source.vhost}
      name={`${name}-${String(message.index)}`}
      isStream={source.kind === "stream"}
      loadAll={
        isWhole(message)
          ? null
          : () => void loadWhole(source, message).then((all) => (open.value = all))
      }
    />
  )
  const title = message === null ? "" : `Message ${formatNumber(message.index)}`
  return (
    <div class={`message-split ${message !== null && !isPhone ? "is-open" : ""}`}>
      <MessageList
        messages={messages}
        kind={source.kind}
        openId={message?.id ?? ""}
        isNarrow={message !== null && !isPhone}
        onOpen={(one) => {
          open.value = one
        }}
      />
      {message !== null && !isPhone && (
        <section class="message-side" aria-label={title}>
          <header>
            <h2>{title}</h2>
            <Button kind="quiet" icon="close" label="Close message" onClick={close} />
          </header>
          {detail}
        </section>
      )}
      {message !== null && isPhone && (
        <Dialog title={title} isDrawer onClose={close}>
          {detail}
        </Dialog>
      )}
    </div>
  )
}

function isWhole(message: BrowsedMessage): boolean {
  const { payload, payload_encoding: encoding, payload_bytes: size } = message
  const bytes =
    encoding === "string"
      ? new TextEncoder().encode(payload).length
      : Math.floor((payload.replace(/=+$/, "").length * 3) / 4)
  return bytes >= Math.min(size, WHOLE_BODY_BYTES)
}

/** By its place; what stands there now may be another one. */
async function loadWhole(source: MessageSource, message: BrowsedMessage): Promise<BrowsedMessage> {
  try {
    const [found] = await loadMessages(source, {
      offset: message.index,
      count: 1,
      truncate: WHOLE_BODY_BYTES,
    })
    if (found?.id === message.id) return found
    toast("error", "The message has moved on. Reload the list, then open it again.")
  } catch (error) {
    toast("error", error instanceof Error ? error.message : String(error))
  }
  return message
}

interface PagerProps extends MessageBrowserProps {
  readonly messages: readonly BrowsedMessage[]
  readonly start: Signal<number>
  readonly load: (index: number) => Promise<void>
}

const NOUNS: Readonly<Record<MessageKind, readonly [string, string]>> = {
  ready: ["ready message", "ready messages"],
  unacked: ["unacked message", "unacked messages"],
  delayed: ["delayed message", "delayed messages"],
  stream: ["message", "messages"],
}

function Pager({ source, messages, count, firstIndex = 0, start, load }: PagerProps): JSX.Element {
  const first = messages[0]?.index
  const last = messages.at(-1)?.index
  return (
    <div class="pager">
      <span aria-live="polite">
        {first !== undefined &&
          last !== undefined &&
          `${formatNumber(first)}–${formatNumber(last)}`}
        {count !== null && ` of ${formatCount(count, NOUNS[source.kind])}`}
      </span>
      <label class="pager-size">
        {source.kind === "stream" ? "From offset" : "From position"}
        <input
          type="number"
          class="message-position"
          min={0}
          value={start.value}
          onChange={(event) =>
            void load(Math.max(0, Math.floor(Number(event.currentTarget.value))))
          }
        />
      </label>
      <nav aria-label="Pages of messages">
        <Button icon="refresh" label="Reload messages" onClick={() => void load(start.value)} />
        <Button
          isDisabled={start.value <= firstIndex}
          onClick={() => void load(Math.max(firstIndex, start.value - PAGE_SIZE))}
        >
          Previous
        </Button>
        <Button isDisabled={last === undefined} onClick={() => void load((last ?? 0) + 1)}>
          Next
        </Button>
      </nav>
    </div>
  )
}

interface NothingProps extends MessageBrowserProps {
  readonly isSearch: boolean
  readonly start: Signal<number>
  readonly load: (index: number) => Promise<void>
}

function Nothing({ isSearch, start, firstIndex = 0, load, empty }: NothingProps): JSX.Element {
  if (isSearch) return <Empty icon="search" title="Nothing found in what was looked through" />
  if (start.value <= firstIndex) return <Empty title="No messages here">{empty}</Empty>
  return (
    <Empty title="This is behind the last message">
      <button type="button" class="link" onClick={() => void load(firstIndex)}>
        Go to the first one
      </button>
    </Empty>
  )
}
