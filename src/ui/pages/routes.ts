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
  {
    path: "/queues/:vhost/:name",
    title: ({ name = "" }) => name,
    load: async () => (await import("./queue/queue.tsx")).Queue,
  },
  {
    path: "/streams",
    title: () => "Streams",
    load: async () => (await import("./streams/streams.tsx")).Streams,
  },
  {
    path: "/streams/:vhost/:name",
    title: ({ name = "" }) => name,
    load: async () => (await import("./streams/stream.tsx")).Stream,
  },
  {
    path: "/unacked",
    title: () => "Unacked",
    load: async () => (await import("./unacked/unacked.tsx")).Unacked,
  },
  {
    path: "/connections",
    title: () => "Connections",
    load: async () => (await import("./connections/pages.ts")).Connections,
  },
  {
    path: "/connections/:name",
    title: ({ name = "" }) => name,
    load: async () => (await import("./connections/pages.ts")).Connection,
  },
  {
    path: "/channels",
    title: () => "Channels",
    load: async () => (await import("./connections/pages.ts")).Channels,
  },
  {
    path: "/channels/:name",
    title: ({ name = "" }) => name,
    load: async () => (await import("./connections/pages.ts")).Channel,
  },
  {
    path: "/consumers",
    title: () => "Consumers",
    load: async () => (await import("./connections/pages.ts")).Consumers,
  },
  {
    path: "/exchanges",
    title: () => "Exchanges",
    load: async () => (await import("./exchanges/pages.ts")).Exchanges,
  },
  {
    path: "/exchanges/:vhost/:name",
    title: ({ name = "" }) => name,
    load: async () => (await import("./exchanges/pages.ts")).Exchange,
  },
  {
    path: "/topology",
    title: () => "Topology",
    load: async () => (await import("./exchanges/pages.ts")).Topology,
  },
  {
    path: "/nodes",
    title: () => "Nodes",
    level: "monitoring",
    load: async () => (await import("./administration.ts")).Nodes,
  },
  {
    path: "/nodes/:name",
    title: ({ name = "" }) => name,
    level: "monitoring",
    load: async () => (await import("./administration.ts")).Node,
  },
  {
    path: "/logs",
    title: () => "Logs",
    level: "administrator",
    load: async () => (await import("./administration.ts")).Logs,
  },
  {
    path: "/shovels",
    title: () => "Shovels",
    level: "policymaker",
    load: async () => (await import("./administration.ts")).Shovels,
  },
  {
    path: "/federation",
    title: () => "Federation",
    level: "policymaker",
    load: async () => (await import("./administration.ts")).Federation,
  },
  {
    path: "/vhosts",
    title: () => "Virtual hosts",
    load: async () => (await import("./administration.ts")).Vhosts,
  },
  {
    path: "/vhosts/:name",
    title: ({ name = "" }) => name,
    load: async () => (await import("./administration.ts")).Vhost,
  },
  {
    path: "/users",
    title: () => "Users",
    level: "administrator",
    load: async () => (await import("./administration.ts")).Users,
  },
  {
    path: "/users/:name",
    title: ({ name = "" }) => name,
    level: "administrator",
    load: async () => (await import("./administration.ts")).User,
  },
  {
    path: "/policies",
    title: () => "Policies",
    load: async () => (await import("./administration.ts")).Policies,
  },
  {
    path: "/operator-policies",
    title: () => "Operator policies",
    load: async () => (await import("./administration.ts")).OperatorPolicies,
  },
  {
    path: "/parameters",
    title: () => "Parameters",
    level: "policymaker",
    load: async () => (await import("./administration.ts")).Parameters,
  },
  {
    path: "/limits",
    title: () => "Limits",
    level: "administrator",
    load: async () => (await import("./administration.ts")).Limits,
  },
  {
    path: "/definitions",
    title: () => "Definitions",
    level: "administrator",
    load: async () => (await import("./administration.ts")).Definitions,
  },
  {
    path: "/audit",
    title: () => "Audit",
    level: "administrator",
    load: async () => (await import("./administration.ts")).Audit,
  },
]
