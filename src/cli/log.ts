/** The log of the broker: what it remembers, and what it writes from now on. */
import type { Session } from "./session.ts"
import { printable } from "./text.ts"
import { usageError } from "./exit-codes.ts"

const TAIL_LINES = 50
const LINE_SIZE_MAX = 1 << 20

/** Only the lines wanted are kept while the log goes by. */
export async function logTail(session: Session): Promise<void> {
  const count = session.values.number("--number") ?? TAIL_LINES
  const kept: string[] = []
  for await (const line of linesOf(
    session.api.stream("/api/logs", { headers: { Accept: "text/plain" } }),
  )) {
    kept.push(line)
    if (kept.length > count) kept.shift()
  }
  for (const line of kept) await session.output.text(printable(line))
}

/** Server-sent events: `data:` lines, an empty line ends an event. */
export async function followLog(session: Session): Promise<void> {
  const seconds = session.values.number("--duration")
  if (seconds !== undefined && seconds > 86_400 * 365) throw usageError("--duration is too long")
  let isOver = false
  const events = linesOf(
    session.api.stream("/api/livelog", { headers: { Accept: "text/event-stream" } }),
  )
  const timer =
    seconds === undefined
      ? null
      : session.clock.setTimer(seconds * 1000, () => {
          isOver = true
          session.api.abort()
        })
  try {
    for await (const line of events)
      if (line.startsWith("data:")) await session.output.text(eventText(line.slice(5).trim()))
  } catch (error) {
    if (!isOver) throw error
  } finally {
    timer?.cancel()
  }
}

/** `["info","source","message"]` as one line. */
function eventText(data: string): string {
  try {
    const fields: unknown = JSON.parse(data)
    if (Array.isArray(fields)) return printable(fields.map(String).join(" "))
  } catch {
    // Some other text.
  }
  return printable(data)
}

async function* linesOf(pieces: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ""
  for await (const piece of pieces) {
    rest += decoder.decode(piece, { stream: true })
    const lines = rest.split("\n")
    rest = (lines.pop() ?? "").slice(0, LINE_SIZE_MAX)
    for (const line of lines) yield line.replace(/\r$/, "")
  }
  if (rest !== "") yield rest
}
