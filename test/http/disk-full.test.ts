/** What changes through the API do when the disk refuses to save them: 503, and a text that says what holds now. */
import assert from "node:assert/strict"
import { createHash } from "node:crypto"
import { FaultyDisk } from "../support/faulty-disk.ts"
import { addUser, httpTest, rows, textOf } from "./support.ts"

const disk = new FaultyDisk()

httpTest(
  "settings hold although they could not be saved, and the answer says so",
  async (http) => {
    await addUser(http, "u", ["management"])
    await http.expect(201, "PUT /api/queues/%2F/q", { body: { durable: true } })
    const permissions = { configure: "^a", write: "^b", read: "^c" }
    const changes: readonly (readonly [string, object])[] = [
      ["PUT /api/users/u", { tags: ["monitoring"] }],
      ["PUT /api/permissions/%2F/u", permissions],
      ["PUT /api/policies/%2F/p", { pattern: "^none", definition: { "max-length": 1 } }],
      ["PUT /api/operator-policies/%2F/p", { pattern: "^none", definition: { expires: 5000 } }],
      ["PUT /api/parameters/c/%2F/n", { value: 1 }],
      ["PUT /api/global-parameters/n", { value: 1 }],
      ["PUT /api/vhost-limits/%2F/max-queues", { value: 100 }],
      ["PUT /api/user-limits/u/max-channels", { value: 100 }],
      ["PUT /api/queues/%2F/q/pause", {}],
    ]
    for (const [line, body] of changes) {
      disk.failCall("write", 1, "ENOSPC", { repeat: true })
      const { body: answer } = await http.expect(503, line, { body })
      disk.heal()
      assert.match(textOf(answer, "reason"), /is in force, but it could not be saved: .*ENOSPC/)
    }
    const { body: user } = await http.expect(200, "GET /api/users/u")
    assert.deepEqual(user["tags"], ["monitoring"])
    await http.expect(200, "GET /api/policies/%2F/p")
    await http.expect(200, "GET /api/parameters/c/%2F/n")
    const audited = await http.expect(200, "GET /api/audit?object=/api/policies")
    const [record] = rows({ ...audited, body: audited.body["items"] ?? {} })
    assert.equal(record?.["status"], 503)
  },
  { disk },
)

const full = new FaultyDisk()

httpTest(
  "a vhost and a durable queue that could not be saved are not there",
  async (http) => {
    for (const call of ["write", "sync"] as const) {
      full.failCall(call, 1, "ENOSPC", { repeat: true })
      const { body } = await http.expect(503, "PUT /api/vhosts/v")
      assert.match(textOf(body, "reason"), /taken back, it could not be saved: .*ENOSPC/)
      full.heal()
      await http.expect(404, "GET /api/vhosts/v")
    }
    await http.expect(201, "PUT /api/vhosts/v")
  },
  { disk: full },
)

const partly = new FaultyDisk()

httpTest(
  "a queue is declared although another one cannot be written",
  async (http) => {
    const { expect, client } = http
    await expect(201, "PUT /api/queues/%2F/bad", { body: { durable: true } })
    const amqp = await client()
    await amqp.call("confirm.select", 1)
    const directory = createHash("sha1").update("bad").digest("hex")
    partly.failCall("write", 1, "EIO", { path: directory, repeat: true })
    amqp.publish(1, { routingKey: "bad", properties: { deliveryMode: 2 }, body: Buffer.from("m") })
    await amqp.expect("basic.nack", 1)
    for (let i = 0; i < 5; i++) {
      // It is refused, and tried again all the time.
      amqp.publish(1, {
        routingKey: "bad",
        properties: { deliveryMode: 2 },
        body: Buffer.from("m"),
      })
      await expect(201, `PUT /api/queues/%2F/q${String(i)}`, { body: { durable: true } })
      await expect(201, `POST /api/bindings/%2F/e/amq.direct/q/q${String(i)}`, {
        body: { routing_key: "k" },
      })
    }
    partly.heal()
  },
  { disk: partly },
)
