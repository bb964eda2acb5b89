/** The shovels over the management API, RabbitMQ's paths and LavinMQ's. */
import assert from "node:assert/strict"
import { eventually } from "../support/eventually.ts"
import { addUser, httpTest } from "./support.ts"

const VALUE = {
  "src-uri": "amqp://",
  "src-queue": "a",
  "dest-uri": "amqp://",
  "dest-queue": "b",
}
const PARAMETER = "/api/parameters/shovel/%2F/s"

httpTest("a shovel is set, seen, paused, resumed, restarted and deleted", async (http) => {
  const { expect } = http
  await expect(201, `PUT ${PARAMETER}`, { body: { value: VALUE } })
  const seen = await eventually(async () => {
    const { body } = await expect(200, "GET /api/shovels/%2F/s")
    assert.equal(body["state"], "Running")
    return body
  })
  assert.equal(seen["status"], "running")
  assert.equal(seen["type"], "dynamic")
  assert.equal(seen["src_queue"], "a")
  assert.equal(seen["remaining"], "unlimited")
  for (const path of ["/api/shovels", "/api/shovels/%2F"]) {
    const { body } = await expect(200, `GET ${path}`)
    assert.equal(body["length"], 1)
  }
  await expect(200, "GET /api/shovels/vhost/%2F/s")
  await expect(422, "PUT /api/shovels/%2F/s/resume")
  await expect(204, "PUT /api/shovels/%2F/s/pause")
  assert.equal((await expect(200, "GET /api/shovels/%2F/s")).body["state"], "Paused")
  await expect(422, "PUT /api/shovels/%2F/s/pause")
  await expect(422, "PUT /api/shovels/%2F/s/restart")
  await expect(204, `PUT ${PARAMETER}`, { body: { value: { ...VALUE, "dest-queue": "c" } } })
  assert.equal((await expect(200, "GET /api/shovels/%2F/s")).body["state"], "Paused")
  await expect(204, "PUT /api/shovels/%2F/s/resume")
  await eventually(async () => {
    const { body } = await expect(200, "GET /api/shovels/%2F/s")
    assert.equal(body["state"], "Running")
  })
  await expect(204, "PUT /api/shovels/%2F/s/restart")
  await expect(204, "DELETE /api/shovels/vhost/%2F/s/restart")
  await expect(204, "DELETE /api/shovels/vhost/%2F/s")
  await expect(404, "GET /api/shovels/%2F/s")
  await expect(404, `GET ${PARAMETER}`)
  await expect(404, "PUT /api/shovels/%2F/s/pause")
})

httpTest("a bad shovel is 400 with the reason, and one without rights 401", async (http) => {
  const { expect } = http
  const { body } = await expect(400, `PUT ${PARAMETER}`, {
    body: { value: { ...VALUE, wrong: 1 } },
  })
  assert.match(JSON.stringify(body["reason"]), /Unrecognised terms \[\\"wrong\\"\] in shovel/)
  const user = await addUser(http, "maker", ["policymaker"])
  const rights = { configure: "^mine", write: "^mine", read: "^mine" }
  await http.running.administration.setPermissions("maker", "/", rights)
  await expect(401, `PUT ${PARAMETER}`, { user, body: { value: VALUE } })
  const looker = await addUser(http, "looker", ["management"])
  await expect(401, "GET /api/shovels", { user: looker })
})

httpTest("a shovel that cannot connect says why, without the password", async (http) => {
  const { expect } = http
  const value = { ...VALUE, "src-uri": "amqp://guest:hidden@127.0.0.1:1", "reconnect-delay": 100 }
  await expect(201, `PUT ${PARAMETER}`, { body: { value } })
  const { body, text } = await eventually(async () => {
    const answer = await expect(200, "GET /api/shovels/%2F/s")
    assert.equal(answer.body["state"], "Error")
    return answer
  })
  assert.match(JSON.stringify(body["error"]), /ECONNREFUSED/)
  assert.ok(Number(body["next_attempt_in"]) > 60)
  assert.doesNotMatch(text, /hidden/)
  await http.running.administration.putUser("m", { password: "m", tags: ["policymaker"] })
  await http.running.administration.setPermissions("m", "/", { configure: "", write: "", read: "" })
  const listed = await expect(200, "GET /api/parameters", { user: "m:m" })
  assert.doesNotMatch(listed.text, /hidden/)
  assert.match((await expect(200, "GET /api/parameters")).text, /hidden/)
})
