/** Commands about policies and parameters. */
import type { CommandSpec, Group } from "../command.ts"
import { parseJson, parseObject } from "../json.ts"
import { listCommand } from "../list.ts"
import type { Session } from "../session.ts"
import { valueAt } from "../text.ts"

const APPLY_TO = ["all", "queues", "classic_queues", "quorum_queues", "streams", "exchanges"]

function policyOf({ values }: Session): Record<string, unknown> {
  return {
    pattern: values.text("pattern"),
    definition: parseObject(values.text("definition"), "the definition"),
    priority: values.number("--priority") ?? 0,
    "apply-to": values.optional("--apply-to") ?? "all",
  }
}

interface PolicyKind {
  readonly path: string
  readonly what: string
  readonly plural: string
  readonly set: string
  readonly clear: string
  readonly list: string
}

const KINDS: readonly PolicyKind[] = [
  {
    path: "/api/policies",
    what: "policy",
    plural: "policies",
    set: "set_policy",
    clear: "clear_policy",
    list: "list_policies",
  },
  {
    path: "/api/operator-policies",
    what: "operator policy",
    plural: "operator policies",
    set: "set_operator_policy",
    clear: "clear_operator_policy",
    list: "list_operator_policies",
  },
]

function policyCommands({ path, what, plural, set, clear, list }: PolicyKind): CommandSpec[] {
  const group: Group = "Policies"
  const name = { name: "name", doc: `Name of the ${what}` }
  return [
    {
      name: set,
      group,
      summary: `Sets ${what === "policy" ? "a" : "an"} ${what}`,
      arguments: [
        name,
        { name: "pattern", doc: "Regular expression of the names that it applies to" },
        { name: "definition", doc: `As {"max-length":1000}` },
      ],
      options: [
        {
          flags: "--priority <number>",
          doc: "The highest of those that match counts (default 0)",
          min: Number.MIN_SAFE_INTEGER,
        },
        { flags: "--apply-to <what>", choices: APPLY_TO, doc: "To what it applies (default all)" },
      ],
      usesVhost: true,
      change: {
        method: "PUT",
        path: `${path}/{vhost}/{name}`,
        body: policyOf,
        saying: `Setting ${what} "{name}" for pattern "{pattern}" in vhost "{vhost}" ...`,
      },
    },
    {
      name: clear,
      group,
      summary: `Removes ${what === "policy" ? "a" : "an"} ${what}`,
      arguments: [name],
      usesVhost: true,
      change: {
        method: "DELETE",
        path: `${path}/{vhost}/{name}`,
        saying: `Clearing ${what} "{name}" in vhost "{vhost}" ...`,
      },
    },
    listCommand({
      name: list,
      group,
      summary: `Lists the ${plural} of a virtual host`,
      usesVhost: true,
      list: {
        path: `${path}/{vhost}`,
        heading: `${plural} for vhost "{vhost}"`,
        columns: ["vhost", "name", "pattern", "apply-to", "definition", "priority"].map(
          (column) => ({
            name: column,
          }),
        ),
        defaults: ["vhost", "name", "pattern", "apply-to", "definition", "priority"],
      },
    }),
  ]
}

const COMPONENT = { name: "component", doc: "Such as shovel or federation-upstream" }
const PARAMETER = { name: "name", doc: "Name of the parameter" }
const VALUE = { name: "value", doc: "Its value, as JSON" }

function valueOf({ values }: Session): Record<string, unknown> {
  return { value: parseJson(values.text("value"), "the value") }
}

const PARAMETER_COMMANDS: readonly CommandSpec[] = [
  {
    name: "set_parameter",
    group: "Parameters",
    summary: "Sets a parameter of a component",
    arguments: [COMPONENT, PARAMETER, VALUE],
    usesVhost: true,
    change: {
      method: "PUT",
      path: "/api/parameters/{component}/{vhost}/{name}",
      body: valueOf,
      saying: `Setting parameter "{name}" for component "{component}" in vhost "{vhost}" ...`,
    },
  },
  {
    name: "clear_parameter",
    group: "Parameters",
    summary: "Removes a parameter",
    arguments: [COMPONENT, PARAMETER],
    usesVhost: true,
    change: {
      method: "DELETE",
      path: "/api/parameters/{component}/{vhost}/{name}",
      saying: `Clearing parameter "{name}" for component "{component}" in vhost "{vhost}" ...`,
    },
  },
  listCommand({
    name: "list_parameters",
    group: "Parameters",
    summary: "Lists parameters; those of one virtual host with --vhost",
    usesVhost: true,
    list: {
      path: "/api/parameters",
      heading: "parameters",
      columns: ["component", "name", "vhost", "value"].map((name) => ({ name })),
      defaults: ["component", "name", "vhost", "value"],
      rows: (items, session) => {
        const vhost = session.globals.optional("vhost")
        return vhost === undefined
          ? items
          : items.filter((item) => valueAt(item, "vhost") === vhost)
      },
      needs: ["vhost"],
    },
  }),
  {
    name: "set_global_parameter",
    group: "Parameters",
    summary: "Sets a parameter of the whole broker",
    arguments: [PARAMETER, VALUE],
    change: {
      method: "PUT",
      path: "/api/global-parameters/{name}",
      body: valueOf,
      saying: `Setting global parameter "{name}" ...`,
    },
  },
  {
    name: "clear_global_parameter",
    group: "Parameters",
    summary: "Removes a parameter of the whole broker",
    arguments: [PARAMETER],
    change: {
      method: "DELETE",
      path: "/api/global-parameters/{name}",
      saying: `Clearing global parameter "{name}" ...`,
    },
  },
  listCommand({
    name: "list_global_parameters",
    group: "Parameters",
    summary: "Lists the parameters of the whole broker",
    list: {
      path: "/api/global-parameters",
      heading: "global parameters",
      columns: [{ name: "name" }, { name: "value" }],
      defaults: ["name", "value"],
    },
  }),
]

export const POLICY_COMMANDS: readonly CommandSpec[] = [
  ...KINDS.flatMap(policyCommands),
  ...PARAMETER_COMMANDS,
]
