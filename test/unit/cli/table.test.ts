/** The table of commands as data: what parser, help, completion and documentation rely on. */
import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { test } from "node:test"
import { withCommandReference } from "../../../scripts/command-docs.ts"
import { GROUPS, longName, shortFlag } from "../../../src/cli/command.ts"
import { completionScript } from "../../../src/cli/completion.ts"
import { GLOBAL_COMMAND_FLAGS, GLOBAL_OPTIONS } from "../../../src/cli/global-options.ts"
import { commandHelp, generalHelp } from "../../../src/cli/help.ts"
import { COMMANDS, findCommand, similarCommands } from "../../../src/cli/table.ts"
import { ROUTES } from "../../../src/http/routes.ts"
import { callsOf } from "../../../src/cli/command.ts"

/** What lavinmqctl has; rabbitmqctl's are in the table as well. */
const VERBS =
  "add_user change_password delete_user list_users set_user_tags set_permissions list_vhosts add_vhost " +
  "delete_vhost set_vhost_limits list_queues create_queue delete_queue purge_queue pause_queue resume_queue " +
  "restart_queue list_exchanges create_exchange delete_exchange list_policies set_policy clear_policy " +
  "list_connections close_connection close_all_connections export_definitions import_definitions definitions " +
  "status cluster_status stop_app start_app hash_password list_shovels add_shovel delete_shovel list_federations " +
  "add_federation delete_federation gc_collect authenticate_user clear_password list_user_permissions " +
  "list_user_limits set_user_limits clear_user_limits list_permissions clear_permissions set_permissions_globally " +
  "set_topic_permissions list_topic_permissions clear_topic_permissions list_vhost_limits clear_vhost_limits " +
  "restart_vhost set_vhost_tags update_vhost_metadata trace_on trace_off enable_vhost_deletion_protection " +
  "disable_vhost_deletion_protection list_bindings list_channels list_consumers list_unresponsive_queues " +
  "set_operator_policy clear_operator_policy list_operator_policies set_parameter clear_parameter " +
  "list_parameters set_global_parameter clear_global_parameter list_global_parameters " +
  "close_all_user_connections ping await_startup wait stop shutdown reset environment report version " +
  "set_log_level rotate_logs set_disk_free_limit set_vm_memory_high_watermark list_feature_flags " +
  "enable_feature_flag encode decode join_cluster forget_cluster_node set_cluster_name rename_cluster_node " +
  "check_running check_local_alarms check_alarms check_port_connectivity check_port_listener " +
  "check_protocol_listener check_virtual_hosts check_certificate_expiration listeners memory_breakdown " +
  "server_version log_tail log_tail_stream"

test("the verbs that scripts know are there", () => {
  const missing = VERBS.split(" ").filter((verb) => findCommand([verb])?.wordCount !== 1)
  assert.deepEqual(missing, [])
})

test("names and aliases are used once, and everything has a group that is shown", () => {
  const names = COMMANDS.flatMap(({ name, aliases = [] }) => [name, ...aliases])
  assert.deepEqual(
    names.filter((name, i) => names.indexOf(name) !== i),
    [],
  )
  for (const { name, group, summary } of COMMANDS) {
    assert.ok(GROUPS.includes(group), name)
    assert.doesNotMatch(summary, /\.$/, name)
  }
})

test("a command does something, and only the last of its arguments is variadic", () => {
  for (const command of COMMANDS) {
    const { name, run, list, change, isNoOp } = command
    assert.ok(run !== undefined || list !== undefined || change !== undefined || isNoOp === true)
    const args = command.arguments ?? []
    for (const [i, argument] of args.entries()) {
      if (i < args.length - 1) assert.notEqual(argument.isVariadic, true, name)
      if (args[i - 1]?.isOptional === true) assert.equal(argument.isOptional, true, name)
    }
  }
})

test("default columns are columns, and options of a command have one meaning", () => {
  for (const { name, list, options = [] } of COMMANDS) {
    const columns = list?.columns.map((column) => column.name) ?? []
    for (const column of list?.defaults ?? []) assert.ok(columns.includes(column), name)
    assert.equal(new Set(columns).size, columns.length, name)
    const long = options.filter(({ flags }) => !flags.includes("--no-")).map(longName)
    assert.equal(new Set(long).size, long.length, name)
  }
  const all = [...GLOBAL_OPTIONS, ...GLOBAL_COMMAND_FLAGS]
  for (const keyOf of [longName, shortFlag]) {
    const keys = all.map(keyOf).filter((key) => key !== null)
    assert.equal(new Set(keys).size, keys.length)
  }
})

/** Made by other parts of the broker, which may not be there. */
const OF_LINKS = /^(?:GET|PUT) \/api\/(?:shovels|federation-links)/

test("every call of the table is a route of the API", () => {
  const routes = ROUTES.map(
    ({ method, path }) => new RegExp(`^${method} ${path.replaceAll(/:[a-zA-Z]+/g, "[^/]+")}$`),
  )
  const unknown = COMMANDS.flatMap((command) => callsOf(command)).filter(
    (call) =>
      !OF_LINKS.test(call) &&
      !routes.some((route) => route.test(call.replaceAll(/\{[^}]+\}|<[^>]+>/g, "x"))),
  )
  assert.deepEqual(unknown, [])
})

test("help and completion know every command", () => {
  const help = generalHelp()
  for (const { name, isAbsent } of COMMANDS) {
    assert.ok(help.includes(name), name)
    if (isAbsent === true) continue
    for (const shell of ["bash", "zsh", "fish"]) {
      const script = completionScript(shell)
      for (const word of name.split(" ")) assert.ok(script.includes(word), `${shell} ${word}`)
    }
  }
  for (const command of COMMANDS)
    for (const line of commandHelp(command).split("\n")) assert.ok(line.length <= 200, line)
})

test("docs/sluicectl.md shows the table", () => {
  const page = readFileSync("docs/sluicectl.md", "utf8")
  assert.equal(page, withCommandReference(page), "npm run generate")
})

test("what is nearly a command is asked about", () => {
  assert.deepEqual(similarCommands("list_queue"), ["list_queues"])
  assert.deepEqual(similarCommands("add_usr"), ["add_user"])
  assert.deepEqual(similarCommands("x".repeat(1000)), [])
})
