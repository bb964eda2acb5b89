import { signal } from "@preact/signals"
import { clock, nowMs } from "./clock.ts"
import { navigate } from "./router.ts"

/** Keys that work on every page: `/` searches, `g` and a letter goes to a page, `?` helps, `r` asks anew. */
export const GO_TO: Readonly<Record<string, readonly [label: string, hash: string]>> = {
  o: ["Overview", "#/"],
  n: ["Nodes", "#/nodes"],
  l: ["Logs", "#/logs"],
  c: ["Connections", "#/connections"],
  h: ["Channels", "#/channels"],
  k: ["Consumers", "#/consumers"],
  e: ["Exchanges", "#/exchanges"],
  q: ["Queues", "#/queues"],
  s: ["Streams", "#/streams"],
  t: ["Topology", "#/topology"],
  v: ["Virtual hosts", "#/vhosts"],
  u: ["Users", "#/users"],
  p: ["Policies", "#/policies"],
}

export const isHelpOpen = signal(false)

const SEQUENCE_MS = 1500
let prefixMs = -Infinity

export function startKeyboard(refresh: () => void): void {
  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return
    if (isTyping(event.target) || document.querySelector("dialog[open]") !== null) return
    if (handleKey(event.key, refresh)) event.preventDefault()
  })
}

function handleKey(key: string, refresh: () => void): boolean {
  if (nowMs() - prefixMs < SEQUENCE_MS) {
    prefixMs = -Infinity
    const target = GO_TO[key]
    if (target === undefined) return false
    navigate(target[1])
    return true
  }
  switch (key) {
    case "g":
      prefixMs = clock.nowMs
      return true
    case "?":
      isHelpOpen.value = true
      return true
    case "/": {
      const field = document.querySelector<HTMLInputElement>("input[type=search]")
      field?.focus()
      field?.select()
      return field !== null
    }
    case "r":
      refresh()
      return true
    default:
      return false
  }
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || target.matches("input:not([type=checkbox]), textarea, select"))
  )
}
