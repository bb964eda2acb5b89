import type { FunctionComponent } from "preact"
import type { Level } from "../lib/roles.ts"
import type { Params } from "../lib/route.ts"
import type * as pages from "./all.ts"

/**
 * Every page once: its address, who may see it, and its component, which gets the parameters of the address. The
 * order matters only where two patterns match.
 */
export type Pages = typeof pages

export type PageComponent = FunctionComponent<{ readonly params: Params }>

export interface PageRoute {
  readonly path: string
  /** Of the browser's tab. */
  readonly title: string | ((params: Params) => string)
  /** Default management. */
  readonly level?: Level
  readonly page: keyof Pages
}

export function loadPages(): Promise<Pages> {
  return import("./all.ts")
}

const named = ({ name = "" }: Params): string => name

export const PAGES: readonly PageRoute[] = [
  { path: "/", title: "Overview", page: "Overview" },
  { path: "/queues", title: "Queues", page: "Queues" },
  { path: "/queues/:vhost/:name", title: named, page: "Queue" },
  { path: "/streams", title: "Streams", page: "Streams" },
  { path: "/streams/:vhost/:name", title: named, page: "Stream" },
  { path: "/unacked", title: "Unacked", page: "Unacked" },
  { path: "/connections", title: "Connections", page: "Connections" },
  { path: "/connections/:name", title: named, page: "Connection" },
  { path: "/channels", title: "Channels", page: "Channels" },
  { path: "/channels/:name", title: named, page: "Channel" },
  { path: "/consumers", title: "Consumers", page: "Consumers" },
  { path: "/exchanges", title: "Exchanges", page: "Exchanges" },
  { path: "/exchanges/:vhost/:name", title: named, page: "Exchange" },
  { path: "/topology", title: "Topology", page: "Topology" },
  { path: "/nodes", title: "Nodes", level: "monitoring", page: "Nodes" },
  { path: "/nodes/:name", title: named, level: "monitoring", page: "Node" },
  { path: "/logs", title: "Logs", level: "administrator", page: "Logs" },
  { path: "/shovels", title: "Shovels", level: "policymaker", page: "Shovels" },
  { path: "/federation", title: "Federation", level: "policymaker", page: "Federation" },
  { path: "/vhosts", title: "Virtual hosts", page: "Vhosts" },
  { path: "/vhosts/:name", title: named, page: "Vhost" },
  { path: "/users", title: "Users", level: "administrator", page: "Users" },
  { path: "/users/:name", title: named, level: "administrator", page: "User" },
  { path: "/policies", title: "Policies", page: "Policies" },
  { path: "/operator-policies", title: "Operator policies", page: "OperatorPolicies" },
  { path: "/parameters", title: "Parameters", level: "policymaker", page: "Parameters" },
  { path: "/limits", title: "Limits", level: "administrator", page: "Limits" },
  { path: "/definitions", title: "Definitions", level: "administrator", page: "Definitions" },
  { path: "/audit", title: "Audit", level: "administrator", page: "Audit" },
]
