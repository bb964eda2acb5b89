import type { FunctionComponent } from "preact"
import type { Level } from "../lib/roles.ts"
import type { Params } from "../lib/route.ts"

/**
 * Every page once: its address, who may see it, and its file, which is loaded when it is first opened. A page
 * is a component that gets the parameters of its address. The order matters only where two patterns match.
 */
export type PageComponent = FunctionComponent<{ readonly params: Params }>

export interface PageRoute {
  readonly path: string
  /** Of the browser's tab. */
  readonly title: (params: Params) => string
  /** Default management. */
  readonly level?: Level
  readonly load: () => Promise<PageComponent>
}

export const PAGES: readonly PageRoute[] = [
  {
    path: "/",
    title: () => "Overview",
    load: async () => (await import("./overview/overview.tsx")).Overview,
  },
  {
    path: "/queues",
    title: () => "Queues",
    load: async () => (await import("./queues/queues.tsx")).Queues,
  },
]
