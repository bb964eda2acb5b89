/**
 * Files as other brokers and people write them, by hand: RabbitMQ 3 and 4, LavinMQ, with fields missing. And
 * the file that is loaded at every start.
 */
import assert from "node:assert/strict"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { test } from "node:test"
import type { TestContext } from "node:test"
import { startBroker } from "../../src/server/start-broker.ts"
import type { RunningBroker } from "../../src/server/start-broker.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"
import { httpTest } from "./support.ts"

/** Of test12, SHA-256. */
const HASH = "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"

const RABBITMQ_3 = {
  rabbit_version: "3.8.9",
  users: [
    {
      name: "r3",
      password_hash: HASH,
      hashing_algorithm: "rabbit_password_hashing_sha256",
      tags: "monitoring,policymaker",
    },
    { name: "none", password_hash: HASH, tags: "" },
  ],
  vhosts: [{ limits: [], metadata: { description: "d", tags: ["t"] }, name: "old" }],
  permissions: [{ user: "r3", vhost: "old", configure: ".*", write: ".*", read: ".*" }],
  topic_permissions: [],
  parameters: [
    { value: { "max-queues": 50 }, vhost: "old", component: "vhost-limits", name: "limits" },
  ],
  global_parameters: [
    { name: "cluster_name", value: "rabbit@old" },
    { name: "internal_cluster_id", value: "x" },
  ],
  policies: [{ vhost: "old", name: "ha", pattern: "^ha", definition: { "max-length": 5 } }],
  queues: [{ name: "q", vhost: "old", durable: true, auto_delete: false, arguments: {} }],
  exchanges: [
    {
      name: "e",
      vhost: "old",
      type: "topic",
      durable: true,
      auto_delete: false,
      internal: false,
      arguments: {},
    },
    {
      name: "amq.rabbitmq.trace",
      vhost: "old",
      type: "topic",
      durable: true,
      auto_delete: false,
      internal: true,
      arguments: {},
    },
  ],
  bindings: [
    {
      source: "e",
      vhost: "old",
      destination: "q",
      destination_type: "queue",
      routing_key: "#",
      arguments: {},
    },
  ],
}

const RABBITMQ_4 = {
  rabbit_version: "4.1.0",
  rabbitmq_version: "4.1.0",
  product_name: "RabbitMQ",
  rabbitmq_definition_format: "cluster",
  original_cluster_name: "rabbit@new",
  explanation: "Definitions of cluster 'rabbit@new'",
  users: [
    {
      name: "r4",
      password_hash: HASH,
      hashing_algorithm: "rabbit_password_hashing_sha256",
      tags: ["administrator"],
      limits: { "max-channels": 3 },
    },
    {
      name: "big",
      password_hash:
        "V4uRnIZWv/R42YzFkM8gFTBLGZyVB8UVs9ZxcW9RBTkkQ2cfCNfc34b3Er67ya3OFcQKw7hsEBCuAUdc2C9ybRZ9O1Y=",
      hashing_algorithm: "rabbit_password_hashing_sha512",
      tags: [],
    },
  ],
  vhosts: [
    {
      name: "new",
      description: "",
      metadata: { description: "", tags: [], default_queue_type: "quorum" },
      tags: [],
      limits: { "max-connections": 9 },
    },
  ],
  permissions: [{ user: "r4", vhost: "new", configure: "", write: "", read: "" }],
  queues: [
    {
      name: "qq",
      vhost: "new",
      durable: true,
      auto_delete: false,
      type: "quorum",
      arguments: { "x-queue-type": "quorum" },
    },
  ],
  exchanges: [{ name: "plain", vhost: "new", type: "direct" }],
  parameters: [
    {
      component: "operator_policy",
      name: "cap",
      vhost: "new",
      value: { pattern: ".*", definition: { "max-length": 7 }, "apply-to": "queues", priority: 0 },
    },
  ],
}

const LAVINMQ = {
  lavinmq_version: "2.1.0",
  users: [
    {
      hashing_algorithm: "SHA256",
      name: "lavin",
      password_hash: HASH,
      tags: ["policy_maker", "management"],
    },
  ],
  vhosts: [
    { name: "lv", dir: "abc", tracing: false, tags: [], description: "", cluster_state: {} },
  ],
  queues: [
    {
      name: "lq",
      vhost: "lv",
      durable: true,
      auto_delete: false,
      arguments: { "x-max-length": 1 },
    },
  ],
  exchanges: [
    {
      name: "",
      vhost: "lv",
      type: "direct",
      durable: true,
      auto_delete: false,
      internal: false,
      arguments: {},
    },
    {
      name: "late",
      vhost: "lv",
      type: "x-delayed-exchange",
      durable: true,
      auto_delete: false,
      internal: false,
      arguments: { "x-delayed-type": "fanout" },
    },
  ],
  bindings: [
    {
      source: "late",
      vhost: "lv",
      destination: "lq",
      destination_type: "queue",
      routing_key: "",
      arguments: null,
      properties_key: "~",
    },
  ],
}

httpTest("a file of RabbitMQ 3 comes in", async ({ expect, running }) => {
  await expect(204, "POST /api/definitions", { body: RABBITMQ_3 })
  const { body } = await expect(200, "GET /api/vhosts/old")
  assert.equal(body["description"], "d")
  assert.deepEqual(body["limits"], { "max-queues": 50 })
  const user = running.administration.getUser("r3")
  assert.deepEqual(user.tags, ["monitoring", "policymaker"])
  await expect(200, "GET /api/overview", { user: "r3:test12" })
  assert.equal((await expect(200, "GET /api/cluster-name")).body["name"], "rabbit@old")
  await expect(200, "GET /api/bindings/old/e/e/q/q/%23")
  assert.equal((await expect(200, "GET /api/policies/old/ha")).body["apply-to"], "all")
})

httpTest("a file of RabbitMQ 4 comes in", async ({ expect, running }) => {
  await expect(204, "POST /api/definitions", { body: RABBITMQ_4 })
  assert.deepEqual(running.administration.getUser("r4").limits, { "max-channels": 3 })
  assert.equal(
    running.administration.getUser("big").hashingAlgorithm,
    "rabbit_password_hashing_sha512",
  )
  const { body } = await expect(200, "GET /api/vhosts/new")
  assert.deepEqual(body["limits"], { "max-connections": 9 })
  assert.equal(body["default_queue_type"], "quorum")
  const queue = (await expect(200, "GET /api/queues/new/qq")).body
  assert.equal(queue["type"], "quorum")
  assert.equal(queue["operator_policy"], "cap")
  assert.equal((await expect(200, "GET /api/exchanges/new/plain")).body["durable"], false)
})

httpTest("a file of LavinMQ comes in", async ({ expect, running }) => {
  await expect(204, "POST /api/definitions", { body: LAVINMQ })
  assert.deepEqual(running.administration.getUser("lavin").tags, ["policymaker", "management"])
  await expect(200, "GET /api/bindings/lv/e/late/q/lq/~")
})

async function load(
  context: TestContext,
  directory: string,
  file: unknown,
): Promise<RunningBroker> {
  const path = join(directory, "definitions.json")
  writeFileSync(path, typeof file === "string" ? file : JSON.stringify(file))
  const running = await startBroker({
    dataDirectory: join(directory, "data"),
    loadDefinitions: path,
    amqp: { port: 0 },
  })
  context.after(() => running.close())
  return running
}

test("the file of the start makes an empty broker, without the default user and vhost", async (context) => {
  const directory = temporaryDirectory(context)
  const { broker, administration } = await load(context, directory, RABBITMQ_3)
  assert.deepEqual([...broker.vhosts.keys()], ["old"])
  assert.deepEqual(
    administration.listUsers().map(({ name }) => name),
    ["r3", "none"],
  )
  assert.ok(broker.vhosts.get("old")?.queues.has("q"))
})

test("the file of the start takes nothing back that was changed since", async (context) => {
  const directory = temporaryDirectory(context)
  const first = await load(context, directory, RABBITMQ_3)
  await first.administration.setTags("r3", ["administrator"])
  await first.administration.setPermissions("r3", "old", { configure: "", write: "", read: "" })
  const policies = first.broker.vhosts.get("old")?.policies
  await policies?.set("ha", { pattern: "^other", definition: { "max-length": 1 } })
  await first.close()
  const changed = {
    ...RABBITMQ_3,
    queues: [...RABBITMQ_3.queues, { name: "q2", vhost: "old", durable: true }],
  }
  const second = await load(context, directory, changed)
  assert.deepEqual(second.administration.getUser("r3").tags, ["administrator"])
  assert.equal(second.administration.getPermissions("r3", "old")?.configure, "")
  assert.equal(second.broker.vhosts.get("old")?.policies.get("ha")?.pattern.source, "^other")
  assert.ok(second.broker.vhosts.get("old")?.queues.has("q2"), "what is new comes in")
})

test("a file that cannot be loaded stops the start and says what is wrong where", async (context) => {
  const directory = temporaryDirectory(context)
  const cases: readonly (readonly [unknown, RegExp])[] = [
    ["{", /definitions\.json: it is not JSON/],
    [{ queues: [{ vhost: "/" }] }, /queues\[0\]: field 'name' is required/],
    [{ queues: [{ name: "q", vhost: "nowhere" }] }, /queue 'q': there is no vhost 'nowhere'/],
    [{ users: [{ name: "u", password_hash: "?" }] }, /user 'u'/],
    [
      {
        vhosts: [{ name: "v" }],
        policies: [{ name: "p", vhost: "v", pattern: "(", definition: {} }],
      },
      /policy 'p'/,
    ],
    [
      { permissions: [{ user: "x", vhost: "y", configure: "", write: "", read: "" }] },
      /permissions of 'x' on 'y'/,
    ],
  ]
  for (const [index, [file, message]] of cases.entries()) {
    const path = join(directory, "definitions.json")
    writeFileSync(path, typeof file === "string" ? file : JSON.stringify(file))
    const dataDirectory = join(directory, `data-${String(index)}`)
    await assert.rejects(
      startBroker({ dataDirectory, loadDefinitions: path, amqp: { port: 0 } }),
      message,
    )
  }
  const missing = join(directory, "nothing.json")
  await assert.rejects(startBroker({ loadDefinitions: missing, amqp: { port: 0 } }), /no such file/)
})
