import assert from "node:assert/strict"
import { test } from "node:test"
import { AuthError } from "../../../src/auth/errors.ts"
import { Permissions } from "../../../src/auth/permissions.ts"
import { TopicPermissions } from "../../../src/auth/topic-permissions.ts"
import { UserStore } from "../../../src/auth/users.ts"
import { systemRandom } from "../../../src/util/random.ts"
import { MemoryDocument } from "./memory-document.ts"

test("write and read are separate, searched, and empty for nothing but the empty key", () => {
  const topics = TopicPermissions.create({ write: "^w\\.", read: "" }, "app", "/")
  assert.ok(topics.mayWrite("w.1"))
  assert.ok(!topics.mayWrite("1.w."))
  assert.ok(topics.mayRead(""))
  assert.ok(!topics.mayRead("amq.default"))
})

test("variables stand for the names, taken literally", () => {
  const sources = { write: "^{username}\\.{vhost}\\.{client_id}$", read: "^[{username}]$" }
  const topics = TopicPermissions.create(sources, "a.b*", "/v")
  assert.ok(topics.mayWrite("a.b*./v.{client_id}"))
  assert.ok(!topics.mayWrite("a.bb./v.{client_id}"))
  assert.ok(!topics.mayWrite("axb*./v.{client_id}"))
  assert.equal(topics.write, sources.write, "shown as given")
  for (const name of ["é☃😀", "(", "\\", "a-b", "]", "^$", "{vhost}", "\n"]) {
    const own = TopicPermissions.create(
      { write: "^{username}$", read: "^[{username}]+$" },
      name,
      "v",
    )
    assert.ok(own.mayWrite(name), name)
    assert.ok(own.mayRead(name), name)
    assert.ok(!own.mayWrite(`${name}x`), name)
  }
  assert.ok(
    !TopicPermissions.create({ write: "^{username}$", read: "" }, ".*", "v").mayWrite("bob"),
  )
})

test("expressions that cannot be accepted are refused", () => {
  assert.throws(() => TopicPermissions.create({ write: "(", read: "" }, "a", "v"), AuthError)
  assert.throws(() => TopicPermissions.create({ write: "", read: "[" }, "a", "v"), AuthError)
})

test("an exchange without an entry is not limited", async () => {
  const store = new UserStore({ document: new MemoryDocument([]), random: systemRandom })
  await store.load()
  await store.put("app", {})
  const app = store.get("app")!
  const permissions = new Permissions()
  assert.equal(permissions.topicsOf(app, "/", "amq.topic"), null)
  await store.setTopicPermissions("app", "/", "amq.topic", { write: "^a", read: "^b" })
  assert.equal(permissions.topicsOf(app, "/", "amq.topic")?.mayWrite("b"), false)
  assert.equal(permissions.topicsOf(app, "/", "other"), null)
  assert.equal(permissions.topicsOf(app, "other", "amq.topic"), null)
  await assert.rejects(
    store.setTopicPermissions("app", "/", "amq.topic", { write: "(", read: "" }),
    AuthError,
  )
  assert.equal(permissions.topicsOf(app, "/", "amq.topic")?.mayWrite("a"), true)
})

test("what is stored and cannot be used denies, and stays in the file", async () => {
  const file = [
    {
      name: "app",
      password_hash: "",
      hashing_algorithm: null,
      tags: "",
      permissions: {},
      topic_permissions: { "/": { "amq.topic": { write: "(", read: ".*" } } },
    },
  ]
  const document = new MemoryDocument(file)
  const store = new UserStore({ document, random: systemRandom })
  await store.load()
  assert.match(store.problems[0]!, /topic permissions of user 'app' in vhost '\/' for 'amq.topic'/)
  const topics = new Permissions().topicsOf(store.get("app")!, "/", "amq.topic")
  assert.equal(topics?.mayWrite("x"), false)
  assert.equal(topics?.mayRead("x"), false)
  await store.put("app", { tags: [] })
  assert.deepEqual(document.value, file)
})
