/** Commands about users and what they may do. */
import type { CommandSpec } from "../command.ts"
import { CliError, EXIT, usageError } from "../exit-codes.ts"
import { listCommand } from "../list.ts"
import { clearLimits, setLimits } from "../limits.ts"
import { segment } from "../session.ts"
import type { Session } from "../session.ts"
import { fieldsOf } from "../text.ts"

const USER = { name: "user", doc: "Name of the user" }
const PASSWORD = {
  name: "password",
  doc: "The password; without it, it is read from standard input",
  isOptional: true,
}

async function passwordOf(session: Session): Promise<string> {
  const given = session.values.optional("password")
  if (given !== undefined) return given
  const { readSecretLine } = await import("../files.ts")
  const password = await readSecretLine("Password: ")
  if (password === "") throw usageError("the password is empty")
  return password
}

async function requireUser(session: Session): Promise<Record<string, unknown>> {
  const user = await session.api.find(session.path("/api/users/{user}"))
  if (user === null) throw new CliError(EXIT.data, session.sentence(`there is no user '{user}'`))
  return fieldsOf(user)
}

async function addUser(session: Session): Promise<void> {
  const { values } = session
  const hash = values.isOn("--pre-hashed-password")
  const path = session.path("/api/users/{user}")
  if ((await session.api.find(path)) !== null)
    throw new CliError(EXIT.data, session.sentence(`there is a user '{user}' already`))
  const password = await passwordOf(session)
  await session.say(`Adding user "{user}" ...`)
  const tags = values.optional("--tags") ?? ""
  const secret = hash ? { password_hash: password } : { password }
  await session.api.request("PUT", path, { body: { ...secret, tags } })
  await session.say(
    "Done. Without permissions the user cannot use a vhost: sluicectl set_permissions",
  )
}

async function changePassword(session: Session): Promise<void> {
  await requireUser(session)
  const password = await passwordOf(session)
  await session.say(`Changing password for user "{user}" ...`)
  await session.api.request("PUT", session.path("/api/users/{user}"), { body: { password } })
}

async function clearPassword(session: Session): Promise<void> {
  await requireUser(session)
  await session.say(`Clearing password for user "{user}" ...`)
  const body = { password_hash: "" }
  await session.api.request("PUT", session.path("/api/users/{user}"), { body })
}

async function setUserTags(session: Session): Promise<void> {
  await requireUser(session)
  const tags = session.values.list("tag").flatMap((text) => text.split(","))
  const body = { tags: tags.map((tag) => tag.trim()).filter((tag) => tag !== "") }
  await session.say(`Setting tags for user "{user}" to [${body.tags.join(", ")}] ...`)
  await session.api.request("PUT", session.path("/api/users/{user}"), { body })
}

async function authenticateUser(session: Session): Promise<void> {
  const password = await passwordOf(session)
  await session.say(`Authenticating user "{user}" ...`)
  const body = { username: session.values.text("user"), password }
  const verdict = await session.api.request("POST", "/api/auth/check", { body })
  if (fieldsOf(verdict.body)["authenticated"] !== true)
    throw new CliError(EXIT.noPermission, session.sentence(`user '{user}' was not authenticated`))
  await session.output.text("Success")
}

async function hashPassword(session: Session): Promise<void> {
  const { PasswordHash } = await import("../../auth/password-hash.ts")
  const { systemRandom } = await import("../../util/random.ts")
  const password = await passwordOf(session)
  await session.output.text(PasswordHash.create(password, systemRandom).toString())
}

const USER_LIMITS = ["max-connections", "max-channels"]

const USER_COMMANDS: readonly CommandSpec[] = [
  {
    name: "add_user",
    group: "Users",
    summary: "Creates a user, which must not exist yet",
    arguments: [USER, PASSWORD],
    options: [
      { flags: "--tags <tags>", doc: "Its tags, separated by commas" },
      { flags: "--pre-hashed-password", doc: "The password is a hash, as of hash_password" },
    ],
    calls: ["GET /api/users/{user}", "PUT /api/users/{user}"],
    run: addUser,
  },
  {
    name: "delete_user",
    group: "Users",
    summary: "Deletes a user and closes its connections",
    arguments: [USER],
    change: {
      method: "DELETE",
      path: "/api/users/{user}",
      saying: `Deleting user "{user}" ...`,
    },
  },
  {
    name: "change_password",
    group: "Users",
    summary: "Changes the password of a user, which must exist",
    arguments: [USER, PASSWORD],
    calls: ["GET /api/users/{user}", "PUT /api/users/{user}"],
    run: changePassword,
  },
  {
    name: "clear_password",
    group: "Users",
    summary: "Takes the password of a user away: none logs in any more",
    arguments: [USER],
    calls: ["GET /api/users/{user}", "PUT /api/users/{user}"],
    run: clearPassword,
  },
  {
    name: "authenticate_user",
    group: "Users",
    summary: "Says whether a user logs in with a password",
    arguments: [USER, PASSWORD],
    calls: ["POST /api/auth/check"],
    run: authenticateUser,
  },
  {
    name: "set_user_tags",
    group: "Users",
    summary: "Sets the tags of a user; without any it has none",
    details: "Known tags are administrator, monitoring, policymaker, management and impersonator.",
    arguments: [
      USER,
      { name: "tag", doc: "Tags, also separated by commas", isOptional: true, isVariadic: true },
    ],
    calls: ["GET /api/users/{user}", "PUT /api/users/{user}"],
    run: setUserTags,
  },
  listCommand({
    name: "list_users",
    group: "Users",
    summary: "Lists users",
    list: {
      path: "/api/users",
      heading: "users",
      columns: [
        { name: "name" },
        { name: "user", field: "name" },
        { name: "tags" },
        { name: "hashing_algorithm" },
        { name: "limits" },
      ],
      defaults: ["name", "tags"],
    },
  }),
  {
    name: "hash_password",
    group: "Users",
    summary: "Prints the hash of a password, salted, SHA-256; asks no broker",
    arguments: [PASSWORD],
    run: hashPassword,
  },
  {
    name: "set_user_limits",
    group: "Users",
    summary: "Limits the connections and channels of a user",
    arguments: [USER, { name: "definition", doc: `As {"max-connections":10,"max-channels":50}` }],
    calls: ["PUT /api/user-limits/{user}/<limit>"],
    async run(session) {
      await session.say(`Setting user limits to "{definition}" for user "{user}" ...`)
      await setLimits(session, session.path("/api/user-limits/{user}"), USER_LIMITS)
    },
  },
  {
    name: "clear_user_limits",
    group: "Users",
    summary: "Removes a limit of a user, or all",
    arguments: [
      USER,
      { name: "limit", doc: "Which one", isOptional: true, choices: [...USER_LIMITS, "all"] },
    ],
    calls: ["DELETE /api/user-limits/{user}/<limit>"],
    async run(session) {
      await session.say(`Clearing user limits for user "{user}" ...`)
      await clearLimits(session, session.path("/api/user-limits/{user}"), USER_LIMITS)
    },
  },
  listCommand({
    name: "list_user_limits",
    group: "Users",
    summary: "Lists users that have limits",
    options: [
      { flags: "--user <name>", doc: "Only of this user" },
      { flags: "--global", doc: "Accepted: all users are listed without --user" },
    ],
    list: {
      path: "/api/user-limits",
      heading: "limits of users",
      columns: [{ name: "user" }, { name: "limits", field: "value" }],
      defaults: ["user", "limits"],
      hasFixedColumns: true,
    },
  }),
]

// ---- permissions

const PATTERNS = [
  { name: "configure", doc: "Regular expression of what may be declared and deleted" },
  { name: "write", doc: "Of what may be published to" },
  { name: "read", doc: "Of what may be consumed from" },
]

const PERMISSION_COLUMNS = ["configure", "write", "read"].map((name) => ({ name }))

function patternsOf({ values }: Session): Record<string, string> {
  return {
    configure: values.text("configure"),
    write: values.text("write"),
    read: values.text("read"),
  }
}

async function setPermissionsGlobally(session: Session): Promise<void> {
  await session.say(`Setting permissions for user "{user}" in all vhosts ...`)
  for await (const vhosts of session.api.pages("/api/vhosts?columns=name"))
    for (const vhost of vhosts) {
      const { name } = fieldsOf(vhost)
      const path = `/api/permissions/${segment(String(name))}/${segment(session.values.text("user"))}`
      await session.api.request("PUT", path, { body: patternsOf(session) })
    }
}

async function clearTopicPermissions(session: Session): Promise<void> {
  const exchange = session.values.optional("exchange")
  await session.say(`Clearing topic permissions for user "{user}" in vhost "{vhost}" ...`)
  const path = session.path("/api/topic-permissions/{vhost}/{user}")
  await session.api.request(
    "DELETE",
    exchange === undefined ? path : `${path}/${segment(exchange)}`,
  )
}

const PERMISSION_COMMANDS: readonly CommandSpec[] = [
  {
    name: "set_permissions",
    group: "Permissions",
    summary: "Sets what a user may do in a vhost",
    arguments: [USER, ...PATTERNS],
    usesVhost: true,
    change: {
      method: "PUT",
      path: "/api/permissions/{vhost}/{user}",
      body: patternsOf,
      saying: `Setting permissions for user "{user}" in vhost "{vhost}" ...`,
    },
  },
  {
    name: "set_permissions_globally",
    group: "Permissions",
    summary: "Sets what a user may do in every vhost that there is now",
    arguments: [USER, ...PATTERNS],
    calls: ["GET /api/vhosts", "PUT /api/permissions/<vhost>/{user}"],
    run: setPermissionsGlobally,
  },
  {
    name: "clear_permissions",
    group: "Permissions",
    summary: "Takes all permissions of a user in a vhost away",
    arguments: [USER],
    usesVhost: true,
    change: {
      method: "DELETE",
      path: "/api/permissions/{vhost}/{user}",
      saying: `Clearing permissions for user "{user}" in vhost "{vhost}" ...`,
    },
  },
  listCommand({
    name: "list_permissions",
    group: "Permissions",
    summary: "Lists who may do what in a vhost",
    usesVhost: true,
    list: {
      path: "/api/vhosts/{vhost}/permissions",
      heading: `permissions for vhost "{vhost}"`,
      columns: [{ name: "user" }, ...PERMISSION_COLUMNS],
      defaults: ["user", "configure", "write", "read"],
    },
  }),
  listCommand({
    name: "list_user_permissions",
    group: "Permissions",
    summary: "Lists what a user may do, by vhost",
    arguments: [USER],
    list: {
      path: "/api/users/{user}/permissions",
      heading: `permissions for user "{user}"`,
      columns: [{ name: "vhost" }, ...PERMISSION_COLUMNS],
      defaults: ["vhost", "configure", "write", "read"],
    },
  }),
  {
    name: "set_topic_permissions",
    group: "Permissions",
    summary: "Limits the routing keys that a user may use at a topic exchange",
    arguments: [
      USER,
      { name: "exchange", doc: "Name of the exchange" },
      { name: "write", doc: "Regular expression of keys to publish with" },
      { name: "read", doc: "Regular expression of keys to bind with" },
    ],
    usesVhost: true,
    change: {
      method: "PUT",
      path: "/api/topic-permissions/{vhost}/{user}",
      body: ({ values }) => ({
        exchange: values.text("exchange"),
        write: values.text("write"),
        read: values.text("read"),
      }),
      saying: `Setting topic permissions on "{exchange}" for user "{user}" in vhost "{vhost}" ...`,
    },
  },
  {
    name: "clear_topic_permissions",
    group: "Permissions",
    summary: "Removes these limits at one exchange, or at all",
    arguments: [USER, { name: "exchange", doc: "Only at this one", isOptional: true }],
    usesVhost: true,
    calls: ["DELETE /api/topic-permissions/{vhost}/{user}"],
    run: clearTopicPermissions,
  },
  listCommand({
    name: "list_topic_permissions",
    group: "Permissions",
    summary: "Lists topic permissions in a vhost",
    usesVhost: true,
    list: {
      path: "/api/vhosts/{vhost}/topic-permissions",
      heading: `topic permissions for vhost "{vhost}"`,
      columns: [{ name: "user" }, { name: "exchange" }, { name: "write" }, { name: "read" }],
      defaults: ["user", "exchange", "write", "read"],
    },
  }),
  listCommand({
    name: "list_user_topic_permissions",
    group: "Permissions",
    summary: "Lists the topic permissions of a user",
    arguments: [USER],
    list: {
      path: "/api/users/{user}/topic-permissions",
      heading: `topic permissions for user "{user}"`,
      columns: [{ name: "vhost" }, { name: "exchange" }, { name: "write" }, { name: "read" }],
      defaults: ["vhost", "exchange", "write", "read"],
    },
  }),
]

export const ACCESS_COMMANDS: readonly CommandSpec[] = [...USER_COMMANDS, ...PERMISSION_COMMANDS]
