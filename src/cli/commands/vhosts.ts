/** Commands about virtual hosts. */
import type { CommandSpec } from "../command.ts"
import { CliError, EXIT } from "../exit-codes.ts"
import { clearLimits, setLimits } from "../limits.ts"
import { listCommand } from "../list.ts"
import type { Session } from "../session.ts"
import { fieldsOf } from "../text.ts"

const NAME = { name: "name", doc: "Name of the virtual host" }
const VHOST_LIMITS = ["max-connections", "max-queues"]

const METADATA = [
  { flags: "--description <text>", doc: "What it is for" },
  { flags: "--tags <tags>", doc: "Its tags, separated by commas" },
  {
    flags: "--default-queue-type <type>",
    choices: ["classic", "quorum", "stream"],
    doc: "The type of queues that are declared without one",
  },
]

function metadataOf({ values }: Session): Record<string, unknown> {
  const body: Record<string, unknown> = {}
  const description = values.optional("--description")
  const tags = values.optional("--tags")
  const type = values.optional("--default-queue-type")
  if (description !== undefined) body["description"] = description
  if (tags !== undefined) body["tags"] = tags
  if (type !== undefined) body["default_queue_type"] = type
  return body
}

async function requireVhost(session: Session): Promise<void> {
  if ((await session.api.find(session.path("/api/vhosts/{name}"))) === null)
    throw new CliError(EXIT.data, session.sentence(`there is no vhost '{name}'`))
}

async function putMetadata(session: Session, saying: string): Promise<void> {
  await requireVhost(session)
  await session.say(saying)
  const path = session.path("/api/vhosts/{name}")
  await session.api.request("PUT", path, { body: metadataOf(session) })
}

async function setTags(session: Session): Promise<void> {
  await requireVhost(session)
  const tags = session.values.list("tag").flatMap((text) => text.split(","))
  await session.say(`Setting tags for vhost "{name}" ...`)
  const body = { tags: tags.filter((tag) => tag !== "") }
  await session.api.request("PUT", session.path("/api/vhosts/{name}"), { body })
}

/** The broker has the vhost open as long as it runs, so it is enough that it is there. */
async function restartVhost(session: Session): Promise<void> {
  const { node } = fieldsOf(await session.api.get("/api/overview"))
  await session.say(`Starting vhost "{vhost}" ...`)
  const path = session.path(`/api/vhosts/{vhost}/start/${encodeURIComponent(String(node))}`)
  await session.api.request("POST", path)
}

export const VHOST_COMMANDS: readonly CommandSpec[] = [
  {
    name: "add_vhost",
    group: "Virtual hosts",
    summary: "Creates a virtual host; no error if it is there",
    details: "Over a control socket nobody gets permissions on it; otherwise who has made it does.",
    arguments: [NAME],
    options: METADATA,
    change: {
      method: "PUT",
      path: "/api/vhosts/{name}",
      body: metadataOf,
      saying: `Adding vhost "{name}" ...`,
    },
  },
  {
    name: "delete_vhost",
    group: "Virtual hosts",
    summary: "Deletes a virtual host with everything in it",
    arguments: [NAME],
    change: { method: "DELETE", path: "/api/vhosts/{name}", saying: `Deleting vhost "{name}" ...` },
  },
  listCommand({
    name: "list_vhosts",
    group: "Virtual hosts",
    summary: "Lists virtual hosts",
    list: {
      path: "/api/vhosts",
      heading: "vhosts",
      columns: [
        { name: "name" },
        { name: "description" },
        { name: "tags" },
        { name: "default_queue_type" },
        { name: "tracing" },
        { name: "cluster_state" },
        { name: "dir" },
        { name: "messages" },
        { name: "messages_ready" },
        { name: "messages_unacknowledged" },
        { name: "metadata" },
        { name: "protected_from_deletion" },
      ],
      defaults: ["name"],
    },
  }),
  {
    name: "update_vhost_metadata",
    group: "Virtual hosts",
    summary: "Changes description, tags or default queue type; what is not given stays",
    arguments: [NAME],
    options: METADATA,
    calls: ["GET /api/vhosts/{name}", "PUT /api/vhosts/{name}"],
    run: (session) => putMetadata(session, `Updating metadata of vhost "{name}" ...`),
  },
  {
    name: "set_vhost_tags",
    group: "Virtual hosts",
    summary: "Sets the tags of a virtual host; without any it has none",
    arguments: [NAME, { name: "tag", doc: "Tags", isOptional: true, isVariadic: true }],
    calls: ["GET /api/vhosts/{name}", "PUT /api/vhosts/{name}"],
    run: setTags,
  },
  {
    name: "set_vhost_limits",
    group: "Virtual hosts",
    summary: "Limits the connections and queues of a virtual host",
    arguments: [{ name: "definition", doc: `As {"max-connections":100,"max-queues":50}` }],
    usesVhost: true,
    calls: ["PUT /api/vhost-limits/{vhost}/<limit>"],
    async run(session) {
      await session.say(`Setting vhost limits to "{definition}" for vhost "{vhost}" ...`)
      await setLimits(session, session.path("/api/vhost-limits/{vhost}"), VHOST_LIMITS)
    },
  },
  {
    name: "clear_vhost_limits",
    group: "Virtual hosts",
    summary: "Removes a limit of a virtual host, or all",
    arguments: [
      { name: "limit", doc: "Which one", isOptional: true, choices: [...VHOST_LIMITS, "all"] },
    ],
    usesVhost: true,
    calls: ["DELETE /api/vhost-limits/{vhost}/<limit>"],
    async run(session) {
      await session.say(`Clearing vhost "{vhost}" limits ...`)
      await clearLimits(session, session.path("/api/vhost-limits/{vhost}"), VHOST_LIMITS)
    },
  },
  listCommand({
    name: "list_vhost_limits",
    group: "Virtual hosts",
    summary: "Lists virtual hosts that have limits",
    usesVhost: true,
    options: [{ flags: "--global", doc: "Accepted: all are listed without --vhost" }],
    list: {
      path: "/api/vhost-limits",
      vhostPath: "/api/vhost-limits/{vhost}",
      heading: "limits of vhosts",
      columns: [{ name: "vhost" }, { name: "limits", field: "value" }],
      defaults: ["vhost", "limits"],
      hasFixedColumns: true,
    },
  }),
  {
    name: "restart_vhost",
    group: "Virtual hosts",
    summary: "Accepted for scripts: a virtual host that exists runs",
    usesVhost: true,
    calls: ["GET /api/overview", "POST /api/vhosts/{vhost}/start/<node>"],
    run: restartVhost,
  },
]
