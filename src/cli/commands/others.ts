/** Commands of the tool itself, those that read a stopped data directory, and those of others that have no counterpart. */
import type { CommandSpec } from "../command.ts"
import { Contexts } from "../contexts.ts"
import { CliError, EXIT } from "../exit-codes.ts"
import type { Session } from "../session.ts"
import { parseUrl } from "../target.ts"

const CONTEXT = { name: "name", doc: "Name of the saved target" }
const DIRECTORY = { name: "directory", doc: "The data directory" }

/** Credentials are taken out of the URL, so that lists can show it. */
async function addContext(session: Session): Promise<void> {
  const { values, globals, env } = session
  const url = parseUrl(values.text("url"))
  const user = globals.optional("user") ?? decodeURIComponent(url.username)
  const password = globals.optional("password") ?? decodeURIComponent(url.password)
  url.username = ""
  url.password = ""
  new Contexts(env).set(values.text("name"), {
    uri: url.href.replace(/\/$/, ""),
    ...(user !== "" && { user }),
    ...(password !== "" && { password }),
  })
  await session.say(`Saved context "{name}"`)
}

async function listContexts(session: Session): Promise<void> {
  const contexts = new Contexts(session.env)
  const rows = contexts
    .list()
    .map(([name, { uri, user, password }]) => [
      name,
      uri,
      user ?? "",
      password !== undefined,
      name === contexts.current,
    ])
  await session.say("Listing contexts ...")
  await session.output.list(["name", "uri", "user", "has_password", "current"], once(rows))
}

async function* once<T>(item: T): AsyncGenerator<T> {
  yield item
}

const CONTEXT_COMMANDS: readonly CommandSpec[] = [
  {
    name: "context add",
    group: "Tool",
    summary: "Saves a target under a name, for --context",
    details:
      "A password in the URL or of --password is saved as well, in a file that only its owner can read; without one it is taken from SLUICECTL_PASSWORD.",
    arguments: [CONTEXT, { name: "url", doc: "As https://user@host:15671" }],
    run: addContext,
  },
  {
    name: "context list",
    group: "Tool",
    summary: "Lists saved targets, without passwords",
    run: listContexts,
  },
  {
    name: "context use",
    group: "Tool",
    summary: "Uses a saved target from now on; without a name the control socket again",
    arguments: [{ ...CONTEXT, isOptional: true }],
    run: ({ env, values }) => new Contexts(env).use(values.optional("name") ?? null),
  },
  {
    name: "context remove",
    group: "Tool",
    summary: "Forgets a saved target",
    arguments: [CONTEXT],
    run: ({ env, values }) => new Contexts(env).remove(values.text("name")),
  },
]

const TOOL_COMMANDS: readonly CommandSpec[] = [
  {
    name: "help",
    group: "Tool",
    summary: "Prints the help, or that of a command",
    arguments: [{ name: "command", doc: "Name of a command", isOptional: true, isVariadic: true }],
    async run(session) {
      const { helpFor } = await import("../program.ts")
      await session.output.sink.write(helpFor(session.values.list("command")))
    },
  },
  {
    name: "version",
    group: "Tool",
    summary: "Prints the version of sluicectl",
    async run(session) {
      const { VERSION } = await import("../../config/version.ts")
      await session.output.text(VERSION)
    },
  },
  {
    name: "completion",
    group: "Tool",
    summary: "Prints a script that completes commands and options in a shell",
    details:
      "For bash: `source <(sluicectl completion bash)`; for zsh: `sluicectl completion zsh > ~/.zfunc/_sluicectl`, where ~/.zfunc is in fpath; for fish: `sluicectl completion fish | source`.",
    arguments: [{ name: "shell", doc: "The shell", choices: ["bash", "zsh", "fish"] }],
    async run(session) {
      const { completionScript } = await import("../completion.ts")
      await session.output.sink.write(completionScript(session.values.text("shell")))
    },
  },
]

const OFFLINE_COMMANDS: readonly CommandSpec[] = [
  {
    name: "store check",
    group: "Offline",
    summary:
      "Verifies every file of messages and definitions in a data directory, and changes nothing",
    details:
      "Ends with 65 if something is damaged. The unfinished writes of a broker that was killed count as such until its next start, which cleans them up.",
    arguments: [DIRECTORY],
    options: [
      {
        flags: "--force",
        doc: "Although a running broker holds the directory; what it writes meanwhile may look damaged",
      },
    ],
    async run(session) {
      const { checkDataDirectory } = await import("../offline/check.ts")
      await checkDataDirectory(session)
    },
  },
  {
    name: "definitions",
    aliases: ["definitions dump"],
    group: "Offline",
    summary: "Prints the definitions in the data directory of a stopped broker, as JSON",
    details: "The same as export_definitions of a broker that is started with it.",
    arguments: [DIRECTORY],
    options: [{ flags: "--force", doc: "Although a running broker holds the directory" }],
    async run(session) {
      const { dumpDefinitions } = await import("../offline/definitions.ts")
      await dumpDefinitions(session)
    },
  },
]

/** Name and what is to be said. */
const ABSENT: readonly (readonly [name: string, reason: string])[] = [
  ["join_cluster", "a broker is one node"],
  ["forget_cluster_node", "a broker is one node"],
  ["rename_cluster_node", "a broker is one node"],
  ["change_cluster_node_type", "a broker is one node"],
  ["update_cluster_nodes", "a broker is one node"],
  ["force_boot", "a broker is one node and starts by itself"],
  ["sync_queue", "there are no mirrored queues"],
  ["cancel_sync_queue", "there are no mirrored queues"],
  ["set_ha_policy", "there are no mirrored queues"],
  ["add_member", "queues have no members"],
  ["delete_member", "queues have no members"],
  ["grow", "queues have no members"],
  ["shrink", "queues have no members"],
  ["quorum_status", "queues have no members"],
  ["reclaim_quorum_memory", "queues have no members"],
  ["rebalance", "a broker is one node"],
  ["reset", "stop the broker and remove its data directory instead"],
  ["force_reset", "stop the broker and remove its data directory instead"],
  ["rotate_logs", "the log goes to standard error; whoever receives it rotates it"],
  ["set_disk_free_limit", "set [main] free_disk_min in the configuration file and send SIGHUP"],
  [
    "set_vm_memory_high_watermark",
    "set [main] memory_high_watermark in the configuration file and send SIGHUP",
  ],
  [
    "trace_on",
    "messages are not traced; read a queue without taking from it in the management instead",
  ],
  ["trace_off", "messages are not traced"],
  ["enable_vhost_deletion_protection", "virtual hosts cannot be protected"],
  ["disable_vhost_deletion_protection", "virtual hosts cannot be protected"],
  ["encode", "the configuration file holds no encrypted values"],
  ["decode", "the configuration file holds no encrypted values"],
  ["eval", "there is no Erlang"],
  ["eval_file", "there is no Erlang"],
  ["exec", "there is no Erlang"],
  ["remote_shell", "there is no Erlang"],
  ["list_hashes", "use hash_password, which prints salted SHA-256"],
  ["list_ciphers", "the ciphers are those of the runtime; see [tls] in the configuration"],
  ["enable", "there are no plugins: everything is built in"],
  ["disable", "there are no plugins: everything is built in"],
  ["plugins", "there are no plugins: everything is built in"],
  ["drain", "stop the broker instead"],
  ["revive", "start the broker instead"],
  ["close_all_stream_connections", "streams are used over AMQP"],
  ["list_stream_connections", "streams are used over AMQP: list_connections"],
]

const ABSENT_COMMANDS: readonly CommandSpec[] = ABSENT.map(([name, reason]) => ({
  name,
  group: "Without counterpart",
  summary: `Not available: ${reason}`,
  arguments: [{ name: "argument", doc: "Whatever it is", isOptional: true, isVariadic: true }],
  isAbsent: true,
  run() {
    throw new CliError(EXIT.unavailable, `${name} has no counterpart here: ${reason}`)
  },
}))

export const OTHER_COMMANDS: readonly CommandSpec[] = [
  ...OFFLINE_COMMANDS,
  ...CONTEXT_COMMANDS,
  ...TOOL_COMMANDS,
  ...ABSENT_COMMANDS,
]
