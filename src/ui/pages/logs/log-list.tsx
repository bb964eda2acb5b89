import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { useLayoutEffect, useRef } from "preact/hooks"
import { Button, CopyButton } from "../../components/basics.tsx"
import { formatDate } from "../../lib/format.ts"
import { fieldsText } from "../../lib/log-lines.ts"
import type { LogLine } from "../../lib/log-lines.ts"
import { visibleRows } from "../../lib/table-state.ts"

/** Lines of one height, of which only those on screen are in the document. At the bottom it follows. */
const LINE_HEIGHT = 24

export function LogList({ lines }: { lines: readonly LogLine[] }): JSX.Element {
  const box = useRef<HTMLDivElement>(null)
  const isFollowing = useSignal(true)
  const view = useSignal({ top: 0, height: 600 })
  const opened = useSignal<LogLine | null>(null)
  const measure = (): void => {
    const element = box.current
    if (element === null) return
    const { scrollTop, clientHeight, scrollHeight } = element
    view.value = { top: scrollTop, height: clientHeight }
    isFollowing.value = scrollHeight - scrollTop - clientHeight < LINE_HEIGHT
  }
  useLayoutEffect(() => {
    const element = box.current
    if (element !== null && isFollowing.peek()) {
      element.scrollTop = element.scrollHeight
      view.value = { top: element.scrollTop, height: element.clientHeight }
    }
  }, [lines])
  const jump = (top: number): void => {
    box.current?.scrollTo({ top })
    measure()
  }
  const { start, end } = visibleRows(lines.length, LINE_HEIGHT, view.value.top, view.value.height)
  return (
    <>
      <div
        class="log-box"
        ref={box}
        onScroll={measure}
        tabIndex={0}
        role="log"
        aria-label="Log lines"
        aria-live="off"
      >
        <div style={{ height: `${String(lines.length * LINE_HEIGHT)}px` }}>
          <ol style={{ transform: `translateY(${String(start * LINE_HEIGHT)}px)` }}>
            {lines.slice(start, end).map((line) => (
              <LineRow
                key={line.id}
                line={line}
                isOpen={opened.value === line}
                onOpen={() => (opened.value = opened.value === line ? null : line)}
              />
            ))}
          </ol>
        </div>
      </div>
      {opened.value !== null && (
        <LineDetails line={opened.value} onClose={() => (opened.value = null)} />
      )}
      <div class="pager">
        <span>
          {isFollowing.value
            ? "Following the newest line"
            : "Held where you are; new lines come below"}
        </span>
        <nav aria-label="Ends of the log">
          <Button onClick={() => jump(0)}>Oldest</Button>
          <Button onClick={() => jump(lines.length * LINE_HEIGHT)}>Newest</Button>
        </nav>
      </div>
    </>
  )
}

interface LineRowProps {
  readonly line: LogLine
  readonly isOpen: boolean
  readonly onOpen: () => void
}

function LineRow({ line, isOpen, onOpen }: LineRowProps): JSX.Element {
  return (
    <li class={isOpen ? "is-open" : ""}>
      <button type="button" class="log-line" aria-expanded={isOpen} onClick={onOpen}>
        <time dateTime={line.time} title={formatDate(Date.parse(line.time))}>
          {line.time.slice(11, 23)}
        </time>
        <span class={`log-word is-${line.level}`}>{line.level}</span>
        <span class="log-source">{line.source}</span>
        <span class="log-text">
          {line.text} <span class="muted">{fieldsText(line.fields)}</span>
        </span>
      </button>
    </li>
  )
}

function LineDetails({ line, onClose }: { line: LogLine; onClose: () => void }): JSX.Element {
  const { time, level, source, text, fields } = line
  return (
    <div class="log-details">
      <div class="row">
        <strong class={`log-word is-${level}`}>{level}</strong> {source}
        <span class="muted">{formatDate(Date.parse(time))}</span>
        <CopyButton
          text={JSON.stringify({ time, level, source, text, fields })}
          label="Copy the line"
        />
        <Button kind="quiet" icon="close" label="Close the details" onClick={onClose} />
      </div>
      <p>{text}</p>
      {Object.keys(fields).length > 0 && <pre>{JSON.stringify(fields, null, 2)}</pre>}
    </div>
  )
}
