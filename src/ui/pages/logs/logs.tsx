import { useSignal } from "@preact/signals"
import type { Signal } from "@preact/signals"
import type { JSX } from "preact"
import { useRef } from "preact/hooks"
import { Button, Empty, Page, State } from "../../components/basics.tsx"
import { Icon } from "../../components/icon.tsx"
import { act } from "../../core/act.ts"
import { put } from "../../core/api.ts"
import { clock } from "../../core/clock.ts"
import { useEvents } from "../../core/events.ts"
import { formatNumber } from "../../lib/format.ts"
import { appendLines, LEVELS, matchesLine, parseLogLine } from "../../lib/log-lines.ts"
import type { LogLine } from "../../lib/log-lines.ts"
import { location, setQuery } from "../../core/router.ts"
import { usePoll } from "../../core/use-poll.ts"
import { withQuery } from "../../lib/route.ts"
import { LogList } from "./log-list.tsx"

/** The log of the broker as it is written: filtered, held, followed. */
interface Feed {
  readonly lines: Signal<readonly LogLine[]>
  readonly isOpen: Signal<boolean>
  readonly heldCount: Signal<number>
  readonly isHeld: Signal<boolean>
  release(): void
}

/** Lines often come in bursts: they are drawn together. */
const DRAW_MS = 100

function useFeed(): Feed {
  const lines = useSignal<readonly LogLine[]>([])
  const isOpen = useSignal(false)
  const isHeld = useSignal(false)
  const heldCount = useSignal(0)
  const waiting = useRef<LogLine[]>([])
  const nextId = useRef(1)
  const isPlanned = useRef(false)
  const draw = (): void => {
    isPlanned.current = false
    if (isHeld.peek()) {
      heldCount.value = waiting.current.length
      return
    }
    lines.value = appendLines(lines.peek(), waiting.current)
    waiting.current = []
    heldCount.value = 0
  }
  useEvents("livelog?format=json", {
    onEvent(data) {
      const line = parseLogLine(data, nextId.current++)
      if (line === null) return
      waiting.current = [...waiting.current.slice(-4999), line]
      if (isPlanned.current) return
      isPlanned.current = true
      clock.setTimer(DRAW_MS, draw)
    },
    onOpen(isAnew) {
      isOpen.value = true
      if (!isAnew) return
      // All that the broker has comes again.
      waiting.current = []
      lines.value = []
    },
    onLost: () => (isOpen.value = false),
  })
  const release = (): void => {
    isHeld.value = false
    draw()
  }
  return { lines, isOpen, isHeld, heldCount, release }
}

export function Logs(): JSX.Element {
  const feed = useFeed()
  const { query } = location.value
  const level = query["level"] ?? "debug"
  const text = query["text"] ?? ""
  const shown = feed.lines.value.filter((line) => matchesLine(line, level, text))
  return (
    <Page
      title="Logs"
      badges={
        <State tone={feed.isOpen.value ? "ok" : "warn"}>
          {feed.isOpen.value ? "live" : "connecting"}
        </State>
      }
      actions={
        <>
          <WrittenLevel />
          <a
            class="button is-plain"
            href={`api/${withQuery("logs", { level, text })}`}
            download="sluice-log.txt"
          >
            <Icon name="download" /> Download
          </a>
        </>
      }
    >
      <div class="table-block">
        <LogToolbar feed={feed} level={level} text={text} shownCount={shown.length} />
        {shown.length > 0 ? (
          <LogList lines={shown} />
        ) : (
          <Empty
            icon="lines"
            title={feed.lines.value.length === 0 ? "Nothing has been logged yet" : "No lines match"}
          >
            {feed.lines.value.length === 0 ? (
              "New lines appear here as they are written."
            ) : (
              <button type="button" class="link" onClick={() => setQuery({ level: "", text: "" })}>
                Clear the filter
              </button>
            )}
          </Empty>
        )}
      </div>
    </Page>
  )
}

interface LogToolbarProps {
  readonly feed: Feed
  readonly level: string
  readonly text: string
  readonly shownCount: number
}

function LogToolbar({ feed, level, text, shownCount }: LogToolbarProps): JSX.Element {
  const { isHeld, heldCount, lines } = feed
  return (
    <div class="table-toolbar">
      <div class="search">
        <Icon name="search" />
        <input
          type="search"
          aria-label="Search the log"
          placeholder="Search the log"
          spellcheck={false}
          value={text}
          onInput={(event) => setQuery({ text: event.currentTarget.value })}
        />
      </div>
      <div class="presets" role="group" aria-label="From this level on">
        {LEVELS.map((one) => (
          <button
            type="button"
            class="chip"
            key={one}
            aria-pressed={one === level}
            onClick={() => setQuery({ level: one === "debug" ? "" : one })}
          >
            {one === "debug" ? "all" : one}
          </button>
        ))}
      </div>
      <div class="table-toolbar-end row">
        <span class="muted" role="status">
          {formatNumber(shownCount)} of {formatNumber(lines.value.length)} lines
        </span>
        <Button
          icon={isHeld.value ? "play" : "pause"}
          onClick={() => (isHeld.value ? feed.release() : (isHeld.value = true))}
        >
          {isHeld.value
            ? `Go on${heldCount.value > 0 ? ` (${formatNumber(heldCount.value)} new)` : ""}`
            : "Pause"}
        </Button>
        <Button icon="broom" onClick={() => (lines.value = [])}>
          Clear
        </Button>
      </div>
    </div>
  )
}

const WRITTEN = ["trace", "debug", "info", "warn", "error", "fatal", "none"] as const

/** What is written at all. */
function WrittenLevel(): JSX.Element | null {
  const { data } = usePoll<{ readonly level: string }>("logs/level").state.value
  return (
    data && (
      <label class="header-select log-level">
        Write from
        <select
          aria-label="Level from which lines are written"
          title="Until the next start of the broker; the configuration stays as it is"
          value={data.level}
          onChange={({ currentTarget: { value } }) =>
            void act(
              () => put("logs/level", { level: value }),
              `The log is written from ${value} on`,
            )
          }
        >
          {WRITTEN.map((one) => (
            <option value={one} key={one}>
              {one}
            </option>
          ))}
        </select>
      </label>
    )
  )
}
