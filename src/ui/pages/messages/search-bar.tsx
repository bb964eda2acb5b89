import type { Signal } from "@preact/signals"
import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { useRef } from "preact/hooks"
import { Button } from "../../components/basics.tsx"
import { Icon } from "../../components/icon.tsx"
import { messageOf } from "../../core/api.ts"
import { toast } from "../../core/toasts.ts"
import { formatCount, formatNumber } from "../../lib/format.ts"
import { scan, SCANNED_MAX, SEARCH_PLACES } from "./search.ts"
import type { LoadPage, Scan, SearchPlace } from "./search.ts"

/** Looks for a text from the position on that is shown; tells how far it has looked. */
export interface SearchBarProps {
  readonly start: number
  readonly found: Signal<Scan | null>
  readonly load: LoadPage
}

const MESSAGE = ["message", "messages"] as const

export function SearchBar({ start, found, load }: SearchBarProps): JSX.Element {
  const text = useSignal("")
  const place = useSignal<SearchPlace>("all")
  const isRunning = useSignal(false)
  const stop = useRef(false)
  const run = async (from: number): Promise<void> => {
    if (text.value.trim() === "") return
    stop.current = false
    isRunning.value = true
    const options = {
      start: from,
      text: text.value.trim(),
      place: place.value,
      isStopped: () => stop.current,
      onProgress: (progress: Scan) => {
        found.value = progress
      },
    }
    try {
      found.value = await scan(load, options)
    } catch (error) {
      toast("error", messageOf(error))
    }
    isRunning.value = false
  }
  const clear = (): void => {
    stop.current = true
    text.value = ""
    found.value = null
  }
  return (
    <form
      class="message-search"
      role="search"
      onSubmit={(event) => {
        event.preventDefault()
        void run(start)
      }}
    >
      <SearchFields text={text} place={place} />
      {isRunning.value ? (
        <Button
          onClick={() => {
            stop.current = true
          }}
        >
          Stop
        </Button>
      ) : (
        <Button type="submit" isDisabled={text.value.trim() === ""}>
          Search
        </Button>
      )}
      {found.value !== null && (
        <SearchResult
          found={found.value}
          isRunning={isRunning.value}
          onMore={(from) => void run(from)}
          onClear={clear}
        />
      )}
    </form>
  )
}

interface FieldsProps {
  readonly text: Signal<string>
  readonly place: Signal<SearchPlace>
}

function SearchFields({ text, place }: FieldsProps): JSX.Element {
  return (
    <>
      <div class="search">
        <Icon name="search" />
        <input
          type="search"
          value={text.value}
          placeholder="Search messages  /"
          aria-label="Search messages"
          onInput={(event) => {
            text.value = event.currentTarget.value
          }}
        />
      </div>
      <select
        aria-label="Where to search"
        value={place.value}
        onChange={(event) => {
          const chosen = SEARCH_PLACES.find(([id]) => id === event.currentTarget.value)
          if (chosen !== undefined) [place.value] = chosen
        }}
      >
        {SEARCH_PLACES.map(([id, label]) => (
          <option key={id} value={id}>
            {label}
          </option>
        ))}
      </select>
    </>
  )
}

interface ResultProps {
  readonly found: Scan
  readonly isRunning: boolean
  readonly onMore: (from: number) => void
  readonly onClear: () => void
}

function SearchResult({ found, isRunning, onMore, onClear }: ResultProps): JSX.Element {
  const { isComplete, nextIndex, scannedCount } = found
  return (
    <p class="message-search-result" aria-live="polite">
      {formatNumber(found.found.length)} found in {formatCount(scannedCount, MESSAGE)}
      {isRunning && " so far"}
      {isComplete && ", all of them from there on"}
      {!isRunning && !isComplete && (
        <>
          .{" "}
          <button type="button" class="link" onClick={() => onMore(nextIndex)}>
            Search the next {formatNumber(SCANNED_MAX)}
          </button>
        </>
      )}{" "}
      <button type="button" class="link" onClick={onClear}>
        Clear the search
      </button>
    </p>
  )
}
