/**
 * `definitions`: the definitions in a data directory whose broker does not run, in the shape of the API's
 * export. The rules of what is usable in the files are those of the broker's own readers.
 */
import { DEFAULT_ALGORITHM_NAME } from "../../auth/password-hash.ts"
import { parseUsers } from "../../auth/users-file.ts"
import type { UserRecord } from "../../auth/users-file.ts"
import type { JsonDocument } from "../../auth/users.ts"
import { AuthError } from "../../auth/errors.ts"
import { Refusal } from "../../broker/errors.ts"
import { UserLimits, VhostLimits } from "../../broker/limits.ts"
import { GLOBAL_COMPONENT, Parameters } from "../../broker/parameters.ts"
import { formatPolicy, PolicyList } from "../../broker/policy/policy-list.ts"
import { applyDefinition } from "../../broker/vhost-definitions.ts"
import { VhostStore } from "../../broker/vhost-store.ts"
import type { VhostEntry } from "../../broker/vhost-store.ts"
import { VERSION } from "../../config/version.ts"
import {
  DEFINITIONS_HEADER_SIZE,
  definitionsVersion,
  scanEntries,
} from "../../storage/definitions-format.ts"
import { JsonStore } from "../../storage/json-store.ts"
import { silentLogger } from "../../util/logger.ts"
import { CliError, EXIT } from "../exit-codes.ts"
import type { Session } from "../session.ts"
import { DEFINITIONS_FILE, guarded, openDataFiles } from "./data-files.ts"
import type { DataFiles } from "./data-files.ts"
import { Topology } from "./topology.ts"

type Row = Record<string, unknown>

/** The version of RabbitMQ whose files these are like; the API says the same. */
const COMPATIBLE_VERSION = "4.1.0"
const DEFAULT_CLUSTER_NAME = "sluice"
const PIECE_SIZE = 32 << 10

interface StoredVhost {
  readonly entry: VhostEntry
  readonly parameters: Parameters
  readonly policies: PolicyList
  readonly operatorPolicies: PolicyList
  readonly limits: VhostLimits
  readonly topology: Topology
}

export async function dumpDefinitions(session: Session): Promise<void> {
  const files = openDataFiles(session)
  try {
    await dump(session, files)
  } catch (error) {
    if (error instanceof AuthError || error instanceof Refusal)
      throw new CliError(EXIT.data, error.message, error)
    throw error
  }
}

async function dump(session: Session, files: DataFiles): Promise<void> {
  const vhostStore = new VhostStore(document(files, `${files.root}/vhosts.json`))
  await vhostStore.load()
  const vhosts = vhostStore.list().map((entry) => readVhost(session, files, entry))
  const globalParameters = new Parameters(document(files, `${files.root}/parameters.json`))
  globalParameters.load()
  const named = globalParameters.get(GLOBAL_COMPONENT, "cluster_name")?.value
  const head = {
    rabbit_version: COMPATIBLE_VERSION,
    rabbitmq_version: COMPATIBLE_VERSION,
    product_name: "Sluice",
    product_version: VERSION,
    sluice_version: VERSION,
    rabbitmq_definition_format: "cluster",
    original_cluster_name: typeof named === "string" ? named : DEFAULT_CLUSTER_NAME,
  }
  const sections: [string, Iterable<Row>][] = [
    ...userSections(files),
    ["vhosts", vhosts.map(({ entry }) => vhostRow(entry))],
    ...permissionSections(files),
    [
      "global_parameters",
      globalParameters.list(GLOBAL_COMPONENT).map(({ name, value }) => ({ name, value })),
    ],
    ["parameters", vhosts.flatMap(parameterRows)],
    ["policies", vhosts.flatMap(policyRows)],
    ["exchanges", rowsOf(vhosts, (vhost) => vhost.topology.exchangeRows(vhost.entry.name))],
    ["queues", rowsOf(vhosts, (vhost) => vhost.topology.queueRows(vhost.entry.name))],
    ["bindings", rowsOf(vhosts, (vhost) => vhost.topology.bindingRows(vhost.entry.name))],
  ]
  await write(session, head, sections)
}

async function write(
  session: Session,
  head: Row,
  sections: readonly (readonly [string, Iterable<Row>])[],
): Promise<void> {
  const { sink } = session.output
  let piece = JSON.stringify(head).slice(0, -1)
  for (const [name, rows] of sections) {
    piece += `,\n"${name}":[`
    let isFirst = true
    for (const row of rows) {
      piece += `${isFirst ? "" : ","}${JSON.stringify(row)}`
      isFirst = false
      if (piece.length < PIECE_SIZE) continue
      await sink.write(piece)
      piece = ""
    }
    piece += "]"
  }
  await sink.write(`${piece}}\n`)
}

function* rowsOf(
  vhosts: readonly StoredVhost[],
  rows: (vhost: StoredVhost) => Iterable<Row>,
): Generator<Row> {
  for (const vhost of vhosts) yield* rows(vhost)
}

/** Reads only. */
function document({ disk }: DataFiles, path: string): JsonDocument {
  return {
    load: () => guarded(() => new JsonStore(disk, path).load()),
    save: () =>
      Promise.reject(new CliError(EXIT.data, `there is no ${path}: the broker never ran with it`)),
  }
}

// ---- users

function users(files: DataFiles): UserRecord[] {
  const stored = document(files, `${files.root}/users.json`).load()
  if (stored === null)
    throw new CliError(
      EXIT.data,
      `there is no ${files.root}/users.json: the broker never ran with it`,
    )
  return parseUsers(stored, [])
}

function userSections(files: DataFiles): [string, Iterable<Row>][] {
  const limits = new UserLimits(document(files, `${files.root}/user_limits.json`))
  limits.load()
  const rows = users(files).map(({ name, passwordHash, hashingAlgorithm, tags }) => ({
    name,
    password_hash: passwordHash,
    hashing_algorithm: hashingAlgorithm ?? DEFAULT_ALGORITHM_NAME,
    tags,
    limits: limits.describe(name),
  }))
  return [["users", rows]]
}

function permissionSections(files: DataFiles): [string, Iterable<Row>][] {
  const permissions: Row[] = []
  const topicPermissions: Row[] = []
  for (const user of users(files)) {
    for (const [vhost, { configure, write: writes, read }] of user.permissions)
      permissions.push({ user: user.name, vhost, configure, write: writes, read })
    for (const [vhost, exchanges] of user.topicPermissions)
      for (const [exchange, { write: writes, read }] of exchanges)
        topicPermissions.push({ user: user.name, vhost, exchange, write: writes, read })
  }
  return [
    ["permissions", permissions],
    ["topic_permissions", topicPermissions],
  ]
}

// ---- vhosts

function vhostRow({ name, description, tags, defaultQueueType }: VhostEntry): Row {
  const type = defaultQueueType === null ? {} : { default_queue_type: defaultQueueType }
  return { name, description, tags, metadata: { description, tags, ...type } }
}

function readVhost(session: Session, files: DataFiles, entry: VhostEntry): StoredVhost {
  const directory = `${files.root}/${entry.dir}`
  const policyList = (name: string, isOperator: boolean): PolicyList =>
    new PolicyList({
      vhostName: entry.name,
      isOperator,
      document: document(files, `${directory}/${name}`),
      clock: session.clock,
      log: silentLogger,
      onChanged: () => Promise.resolve(),
    })
  const vhost = {
    entry,
    parameters: new Parameters(document(files, `${directory}/parameters.json`)),
    policies: policyList("policies.json", false),
    operatorPolicies: policyList("operator_policies.json", true),
    limits: new VhostLimits(document(files, `${directory}/limits.json`)),
    topology: new Topology(),
  }
  vhost.parameters.load()
  vhost.policies.load()
  vhost.operatorPolicies.load()
  vhost.limits.load()
  readTopology(files, directory, vhost.topology)
  return vhost
}

/** Damaged ranges are passed over, as at a start. */
function readTopology({ disk }: DataFiles, directory: string, topology: Topology): void {
  const content = guarded(() => disk.readFile(`${directory}/${DEFINITIONS_FILE}`))
  if (content === null) return
  const start = definitionsVersion(content) === 0 ? 0 : DEFINITIONS_HEADER_SIZE
  scanEntries(content, start, {
    onFrame: (frame) => {
      try {
        applyDefinition(frame, topology)
      } catch (error) {
        // One that makes no sense any more does not keep the others from loading.
        if (error instanceof TypeError) throw error
      }
    },
    onGap: () => {},
  })
}

function policyRows({ entry, policies }: StoredVhost): Row[] {
  return policies.list().map((policy) => formatPolicy(policy, entry.name))
}

/** With the operator policies and limits, which RabbitMQ keeps as parameters. */
function parameterRows({ entry, parameters, operatorPolicies, limits }: StoredVhost): Row[] {
  const vhost = entry.name
  const rows: Row[] = parameters
    .list()
    .map(({ component, name, value }) => ({ component, name, vhost, value }))
  for (const policy of operatorPolicies.list()) {
    const { name, pattern, definition, priority, "apply-to": applyTo } = formatPolicy(policy, vhost)
    const value = { pattern, definition, priority, "apply-to": applyTo }
    rows.push({ component: "operator_policy", name, vhost, value })
  }
  const value = limits.toJSON()
  if (Object.keys(value).length > 0)
    rows.push({ component: "vhost-limits", name: "limits", vhost, value })
  return rows
}
