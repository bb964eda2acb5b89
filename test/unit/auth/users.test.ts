import assert from "node:assert/strict"
import { test } from "node:test"
import { AuthError } from "../../../src/auth/errors.ts"
import { isLoopback } from "../../../src/auth/loopback.ts"
import { Permissions } from "../../../src/auth/permissions.ts"
import { UserStore, type User, type UserStoreOptions } from "../../../src/auth/users.ts"
import { systemRandom } from "../../../src/util/random.ts"
import { MemoryDocument } from "./memory-document.ts"

const LOCAL = "127.0.0.1"
const REMOTE = "192.0.2.1"
const permissions = new Permissions()

async function open(
  document: MemoryDocument,
  options: Partial<UserStoreOptions> = {},
): Promise<UserStore> {
  const store = new UserStore({ document, random: systemRandom, ...options })
  await store.load()
  return store
}

/** For users whose hash needs no thread: the answer is there at once. */
function login(store: UserStore, name: string, password: string, from: string | null): User | null {
  const answer = store.authenticate(name, password, from)
  assert.ok(!(answer instanceof Promise))
  return answer
}

const LAVINMQ_FILE = [
  {
    name: "guest",
    password_hash: "+pHuxkR9fCyrrwXjOD4BP4XbzO3l8LJr8YkThMgJ0yVHFRE+",
    hashing_algorithm: "rabbit_password_hashing_sha256",
    tags: "administrator",
    permissions: { "/": { config: ".*", read: ".*", write: ".*" } },
  },
  {
    name: "app",
    password_hash: "ytUIm8s3AnKsXQjptplKFytfVxI=",
    hashing_algorithm: null,
    tags: "management,policymaker",
    permissions: {
      "/": { config: "", read: "^r", write: "^w" },
      v1: { config: "", read: "", write: "" },
    },
  },
]

test("the first start makes guest, administrator with all permissions on /, and writes it", async () => {
  const document = new MemoryDocument(null)
  const store = await open(document)
  const guest = login(store, "guest", "guest", LOCAL)
  assert.deepEqual(guest?.tags, ["administrator"])
  assert.ok(permissions.mayConfigure(guest, "/", "anything"))
  const [entry]: readonly Record<string, unknown>[] = JSON.parse(JSON.stringify(document.value))
  assert.deepEqual(Object.keys(entry!), [
    "name",
    "password_hash",
    "hashing_algorithm",
    "tags",
    "permissions",
  ])
  assert.equal(entry!["tags"], "administrator")
  assert.deepEqual(entry!["permissions"], { "/": { config: ".*", read: ".*", write: ".*" } })
  assert.equal(store.list().length, 1)
})

test("the default user and its password can be chosen", async () => {
  const hash = "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"
  const store = await open(new MemoryDocument(null), {
    defaultUser: "boss",
    defaultPasswordHash: hash,
  })
  assert.equal(store.get("guest"), null)
  assert.ok(login(store, "boss", "test12", LOCAL))
  assert.equal(login(store, "boss", "test12", REMOTE), null)
})

test("a file of LavinMQ is understood, and written back as it was", async () => {
  const document = new MemoryDocument(LAVINMQ_FILE)
  const store = await open(document)
  assert.deepEqual(store.problems, [])
  assert.ok(login(store, "guest", "guest", LOCAL))
  const app = login(store, "app", "simon", REMOTE)
  assert.deepEqual(app?.tags, ["management", "policymaker"])
  assert.ok(permissions.mayWrite(app, "/", "w1"))
  assert.ok(!permissions.mayWrite(app, "/", "r1"))
  assert.ok(permissions.mayRead(app, "/", "r1"))
  assert.ok(permissions.mayConnect(app, "v1"))
  await store.put("app", { tags: ["management", "policymaker"] })
  assert.deepEqual(document.value, LAVINMQ_FILE)
})

test("wrong password, unknown user and empty password get the same answer", async () => {
  const store = await open(new MemoryDocument(LAVINMQ_FILE))
  assert.equal(login(store, "app", "wrong", LOCAL), null)
  assert.equal(login(store, "nobody", "simon", LOCAL), null)
  assert.equal(login(store, "nobody", "", LOCAL), null)
  assert.equal(login(store, "app", "", LOCAL), null)
  assert.equal(login(store, "__proto__", "x", LOCAL), null)
})

test("a user whose password really is empty cannot log in", async () => {
  const store = await open(new MemoryDocument(LAVINMQ_FILE))
  await store.put("app", { password: "" })
  assert.equal(login(store, "app", "", LOCAL), null)
  await store.put("app", { passwordHash: "" })
  assert.equal(login(store, "app", "", LOCAL), null)
  assert.equal(login(store, "app", "simon", LOCAL), null)
})

test("the default user logs in from this machine only, unless allowed; others from anywhere", async () => {
  const store = await open(new MemoryDocument(LAVINMQ_FILE))
  for (const address of [LOCAL, "127.8.8.8", "::1", "::ffff:127.0.0.1", "::ffff:7f00:1", null])
    assert.ok(login(store, "guest", "guest", address), String(address))
  for (const address of [REMOTE, "::2", "::ffff:192.0.2.1", "128.0.0.1", "127.evil", ""])
    assert.equal(login(store, "guest", "guest", address), null, address)
  assert.ok(login(store, "app", "simon", REMOTE))
  const open2 = await open(new MemoryDocument(LAVINMQ_FILE), { defaultUserLoopbackOnly: false })
  assert.ok(login(open2, "guest", "guest", REMOTE))
})

test("only this machine's addresses count as loopback", () => {
  for (const address of ["0.0.0.0", "1127.0.0.1", "::ffff:8000:1", "fe80::1", "::1%eth0", "::"])
    assert.equal(isLoopback(address), false, address)
})

test("hashes and expressions that cannot be used deny, are reported, and stay in the file", async () => {
  const file = [
    {
      name: "crypt",
      password_hash: "$2a$04$abcdefghijklmnopqrstuv",
      hashing_algorithm: "lavinmq_bcrypt",
      tags: "",
      permissions: { "/": { config: "(", read: ".*", write: ".*" } },
    },
    { name: "none", password_hash: "", hashing_algorithm: null, tags: "", permissions: {} },
  ]
  const document = new MemoryDocument(file)
  const store = await open(document)
  assert.equal(store.problems.length, 2)
  assert.match(store.problems[0]!, /password of user 'crypt': password hash is not bcrypt/)
  assert.match(store.problems[1]!, /permissions of user 'crypt' in vhost '\/'/)
  const crypt = store.get("crypt")!
  assert.ok(!permissions.mayRead(crypt, "/", "x"))
  assert.equal(login(store, "crypt", "x", LOCAL), null)
  await store.put("none", { tags: [] })
  assert.deepEqual(document.value, file)
  await store.setPermissions("crypt", "/", { configure: "", write: "", read: "x" })
  assert.ok(permissions.mayRead(crypt, "/", "x"))
})

test("a file that is no list of users is not taken for one", async () => {
  const bad = [{}, "x", [{}], [{ name: "a" }], [{ password_hash: "" }], [null]]
  for (const value of bad)
    await assert.rejects(open(new MemoryDocument(value)), (error) => error instanceof AuthError)
})

function describe(user: User): unknown[] {
  const { name, tags, passwordHash, hashingAlgorithm, permissions: entries } = user
  const topics: unknown[] = []
  for (const [vhost, exchanges] of user.topicPermissions)
    topics.push(vhost, Array.from(exchanges.keys()))
  return [name, tags, passwordHash, hashingAlgorithm, [...entries.keys()], topics]
}

test("every change raises the generation, tells the listener, and is in the file when it resolves", async () => {
  let changeCount = 0
  const document = new MemoryDocument(null)
  const store = await open(document, { onChanged: () => changeCount++ })
  const changes: (() => Promise<unknown>)[] = [
    () => store.put("app", { password: "secret" }),
    () => store.put("app", { tags: ["management", "management"] }),
    () => store.setPermissions("app", "v", { configure: "c", write: "w", read: "r" }),
    () =>
      store.put("app", { passwordHash: LAVINMQ_FILE[1]!.password_hash, hashingAlgorithm: "md5" }),
    () => store.removePermissions("app", "v"),
    () => store.setPermissions("app", "v", { configure: "c", write: "w", read: "r" }),
    () => store.setTopicPermissions("app", "v", "amq.topic", { write: "w", read: "r" }),
    () => store.removeTopicPermissions("app", "v", "amq.topic"),
    () => store.setTopicPermissions("app", "v", "amq.topic", { write: "w", read: "r" }),
    () => store.removeTopicPermissions("app", "v", null),
    () => store.setTopicPermissions("app", "v", "amq.topic", { write: "w", read: "r" }),
    () => store.removeVhost("v"),
    () => store.delete("app"),
  ]
  for (const change of changes) {
    const before = { generation: store.generation, changeCount, saveCount: document.saveCount }
    await change()
    assert.equal(store.generation, before.generation + 1, String(change))
    assert.equal(changeCount, before.changeCount + 1)
    assert.equal(document.saveCount, before.saveCount + 1)
    const reopened = await open(document)
    assert.deepEqual(reopened.list().map(describe), store.list().map(describe))
  }
})

test("sessions see changes through the user object that they hold", async () => {
  const store = await open(new MemoryDocument(LAVINMQ_FILE))
  const app = login(store, "app", "simon", LOCAL)!
  await store.setPermissions("app", "/", { configure: "", write: "^only$", read: "" })
  assert.ok(permissions.mayWrite(app, "/", "only"))
  assert.ok(!permissions.mayWrite(app, "/", "w1"))
  await store.delete("app")
  assert.equal(app.isDeleted, true)
  assert.ok(!permissions.mayWrite(app, "/", "only"))
  assert.equal(login(store, "app", "simon", LOCAL), null)
  assert.equal(await store.delete("app"), false)
})

test("the same password again keeps its hash", async () => {
  const document = new MemoryDocument(LAVINMQ_FILE)
  const store = await open(document)
  await store.put("app", { password: "simon" })
  assert.deepEqual(document.value, LAVINMQ_FILE)
  await store.put("app", { password: "other" })
  assert.notDeepEqual(document.value, LAVINMQ_FILE)
  assert.ok(login(store, "app", "other", LOCAL))
})

test("bad input changes nothing", async () => {
  const document = new MemoryDocument(LAVINMQ_FILE)
  const store = await open(document)
  const { generation } = store
  const all = { configure: ".*", write: ".*", read: ".*" }
  await assert.rejects(store.setPermissions("app", "/", { ...all, read: "(" }), AuthError)
  await assert.rejects(store.setPermissions("nobody", "/", all), /no user 'nobody'/)
  await assert.rejects(store.put("", { tags: [] }), AuthError)
  await assert.rejects(
    store.put("new", { passwordHash: "AAAA", hashingAlgorithm: "sha256" }),
    /Invalid digest size 3/,
  )
  await assert.rejects(
    store.put("new", { passwordHash: "AAAA", hashingAlgorithm: "lavinmq_bcrypt" }),
    /bcrypt/,
  )
  assert.equal(store.get("new"), null)
  assert.equal(store.generation, generation)
  assert.equal(document.saveCount, 0)
})

test("changes at one time are saved together, and each knows when it is on disk", async () => {
  const document = new MemoryDocument([])
  const store = await open(document)
  const names = Array.from({ length: 500 }, (_, i) => `u${i}`)
  const before = document.saveCount
  await Promise.all(names.map((name) => store.put(name, { tags: ["a"] })))
  assert.ok(document.saveCount - before <= 3, String(document.saveCount - before))
  assert.equal((await open(document)).list().length, 500)
})
