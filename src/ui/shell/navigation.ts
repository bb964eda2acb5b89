import type { IconName } from "../components/icon.tsx"
import type { Level } from "../lib/roles.ts"

/** The entries of the sidebar. An entry is shown to those who have its level, once its page is registered. */
export interface NavEntry {
  readonly label: string
  /** As in pages/routes.ts. */
  readonly path: string
  readonly icon: IconName
  readonly level?: Level
}

export interface NavGroup {
  readonly label: string
  readonly entries: readonly NavEntry[]
}

export const NAVIGATION: readonly NavGroup[] = [
  {
    label: "Cluster",
    entries: [
      { label: "Overview", path: "/", icon: "gauge" },
      { label: "Nodes", path: "/nodes", icon: "server", level: "monitoring" },
      { label: "Logs", path: "/logs", icon: "lines", level: "administrator" },
    ],
  },
  {
    label: "Clients",
    entries: [
      { label: "Connections", path: "/connections", icon: "plug" },
      { label: "Channels", path: "/channels", icon: "layers" },
      { label: "Consumers", path: "/consumers", icon: "inbox" },
    ],
  },
  {
    label: "Messaging",
    entries: [
      { label: "Exchanges", path: "/exchanges", icon: "split" },
      { label: "Queues", path: "/queues", icon: "queue" },
      { label: "Streams", path: "/streams", icon: "waves" },
      { label: "Unacked", path: "/unacked", icon: "clock" },
      { label: "Topology", path: "/topology", icon: "graph" },
    ],
  },
  {
    label: "Bridges",
    entries: [
      { label: "Shovels", path: "/shovels", icon: "shovel", level: "policymaker" },
      { label: "Federation", path: "/federation", icon: "link", level: "policymaker" },
    ],
  },
  {
    label: "Administration",
    entries: [
      { label: "Virtual hosts", path: "/vhosts", icon: "boxes" },
      { label: "Users", path: "/users", icon: "users", level: "administrator" },
      { label: "Policies", path: "/policies", icon: "shield" },
      { label: "Operator policies", path: "/operator-policies", icon: "shield" },
      { label: "Parameters", path: "/parameters", icon: "sliders", level: "policymaker" },
      { label: "Limits", path: "/limits", icon: "limit", level: "administrator" },
      { label: "Definitions", path: "/definitions", icon: "file", level: "administrator" },
      { label: "Audit", path: "/audit", icon: "eye", level: "administrator" },
    ],
  },
]
