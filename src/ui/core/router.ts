import { batch, computed, signal } from "@preact/signals"
import { formatHash, parseHash } from "../lib/route.ts"
import type { Location, Query } from "../lib/route.ts"

/** Where the address bar points. Pages read `location`, links are plain `<a href={href([...])}>`. */
export const location = signal<Location>(parseHash(globalThis.location.hash))

/** For what does not depend on the query, which changes with each page of a list. */
export const currentPath = computed(() => location.value.path)

export function startRouter(): void {
  addEventListener("hashchange", () => {
    batch(() => {
      location.value = parseHash(globalThis.location.hash)
    })
  })
}

/** `navigate(href(["queues"]))` */
export function navigate(hash: string): void {
  globalThis.location.hash = hash
}

/** Changes parameters of the address; "" removes one. Without a new step in the browser's history by default. */
export function setQuery(change: Query, mode: "replace" | "push" = "replace"): void {
  const { path, query } = location.peek()
  const hash = formatHash({ path, query: { ...query, ...change } })
  if (hash === globalThis.location.hash) return
  // Without waiting for the event that tells of a new hash.
  if (mode === "push") history.pushState(null, "", hash)
  else history.replaceState(null, "", hash)
  location.value = parseHash(hash)
}
