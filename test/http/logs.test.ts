/** The log from afar: download, live tail, filters, slow readers; and that no secret is in any of it. */
import assert from "node:assert/strict"
import { eventually, within } from "../support/eventually.ts"
import type { Logger } from "../../src/util/logger.ts"
import { ManualClock } from "../../src/util/clock.ts"
import { WireClient } from "../support/wire-client.ts"
import { addUser, httpTest, rows, textOf } from "./support.ts"
import type { HttpTest } from "./support.ts"

const ADMINISTRATOR = { authorization: `Basic ${btoa("guest:guest")}` }

class Tail {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>
  readonly response: Response
  text = ""

  constructor(response: Response) {
    assert.equal(response.status, 200)
    this.response = response
    this.#reader = response.body!.getReader()
  }

  static async open(http: HttpTest, path: string, headers: object = {}): Promise<Tail> {
    const { app } = http.running.http!
    return new Tail(await app.request(path, { headers: { ...ADMINISTRATOR, ...headers } }))
  }

  /** Reads until the pattern is there; false if the stream ends before. */
  async until(pattern: RegExp): Promise<boolean> {
    const decoder = new TextDecoder()
    while (!pattern.test(this.text)) {
      const { done, value } = await within(this.#reader.read(), `${String(pattern)} in the log`)
      if (done) return false
      this.text += decoder.decode(value, { stream: true })
    }
    return true
  }

  /** Of events with data, ids included. */
  get events(): { id: number; data: unknown }[] {
    return [...this.text.matchAll(/^id: (\d+)\ndata: (.*)$/gm)].map(([, id, data]) => ({
      id: Number(id),
      data: JSON.parse(data ?? ""),
    }))
  }

  close(): Promise<void> {
    return this.#reader.cancel()
  }
}

httpTest("the level of the log is told as it is in force, whoever has set it", async (http) => {
  for (const level of ["debug", "none", "warn"]) {
    await http.ask("PUT /api/logs/level", { body: { level } })
    assert.deepEqual((await http.expect(200, "GET /api/logs/level")).body, { level })
  }
})

httpTest("the log is tailed as it is written, the latest lines first", async (http) => {
  const { running } = http
  const { log } = running.broker
  log.info({ vhost: "/", queue: "q 1" }, "something was done")
  const tail = await Tail.open(http, "/api/livelog")
  assert.equal(tail.response.headers.get("content-type"), "text/event-stream")
  assert.equal(tail.response.headers.get("x-accel-buffering"), "no")
  await tail.until(/something was done/)
  log.warn({}, "and more")
  await tail.until(/and more/)
  const [last, before] = tail.events.toReversed()
  assert.ok(last !== undefined && before !== undefined)
  assert.deepEqual(last.data, ["WARN", "broker", "and more"])
  assert.deepEqual(before.data, ["INFO", "queue", 'something was done vhost=/ queue="q 1"'])
  assert.ok(last.id > before.id)
  await tail.close()
  // Whoever comes back gets what was missed, and nothing twice.
  log.warn({}, "missed")
  const again = await Tail.open(http, "/api/livelog", { "last-event-id": String(last.id) })
  await again.until(/missed/)
  assert.deepEqual(
    again.events.map(({ data }) => Array.isArray(data) && data[2]),
    ["missed"],
  )
  await again.close()
})

httpTest("it is filtered by severity and text, and has all fields as JSON", async (http) => {
  const { log } = http.running.broker
  log.info({ queue: "orders" }, "an info")
  log.warn({ queue: "orders", count: 3 }, "a warning")
  log.error({ queue: "other" }, "an error")
  const tail = await Tail.open(http, "/api/livelog?format=json&level=warn&text=ORDERS")
  log.error({ queue: "orders" }, "the last")
  await tail.until(/the last/)
  assert.deepEqual(
    tail.events.map(({ data }) => Object.assign({}, data, { time: "" })),
    [
      {
        time: "",
        level: "warn",
        source: "queue",
        text: "a warning",
        fields: { queue: "orders", count: 3 },
      },
      { time: "", level: "error", source: "queue", text: "the last", fields: { queue: "orders" } },
    ],
  )
  await tail.close()
  const { status } = await http.ask("GET /api/livelog?level=loud")
  assert.equal(status, 400)
})

const clock = new ManualClock()
httpTest(
  "an idle tail shows that it is there; one who does not read loses lines, and is told",
  async (http) => {
    const { log } = http.running.broker
    const tail = await Tail.open(http, "/api/livelog?text=noise")
    await tail.until(/: the log/)
    const alive = tail.until(/: still there/)
    await new Promise((done) => setImmediate(done))
    clock.advance(15_000)
    await alive
    // The stream takes one piece ahead; the rest waits.
    for (let i = 0; i < 5000; i++) log.debug({ i }, `noise`)
    for (let i = 0; i < 3000; i++) log.warn({ i }, `noise ${String(i)}`)
    await tail.until(/noise 2999/)
    assert.match(tail.text, /\["WARN","livelog","\d+ lines were left out: too slow"\]/)
    assert.ok(tail.events.length < 1100, `${String(tail.events.length)} lines`)
    await tail.close()
  },
  { clock },
)

httpTest("those who follow are bounded, and end with the broker", async (http) => {
  const tails: Tail[] = []
  for (let i = 0; i < 20; i++) tails.push(await Tail.open(http, "/api/livelog"))
  const { status } = await http.ask("GET /api/livelog")
  assert.equal(status, 503)
  await tails.pop()!.close()
  tails.push(await Tail.open(http, "/api/livelog"))
  const ended = tails.map((tail) => tail.until(/^never$/m))
  await http.running.close()
  assert.deepEqual(await Promise.all(ended), Array(20).fill(false))
})

httpTest("a client that is gone leaves nothing behind", async (http) => {
  const { addresses } = http.running.http!
  for (let i = 0; i < 25; i++) {
    const abort = new AbortController()
    const response = await fetch(`http://${addresses[0]!}/api/livelog`, {
      headers: ADMINISTRATOR,
      signal: abort.signal,
    })
    assert.equal(response.status, 200)
    abort.abort()
  }
  await eventually(async () => {
    const tail = await Tail.open(http, "/api/livelog")
    await tail.close()
  })
})

httpTest("the log is downloaded as a file, by administrators only", async (http) => {
  const { running } = http
  running.broker.log.info({ queue: "q", lines: "a\nb" }, "one line")
  const { app } = running.http!
  const response = await app.request("/api/logs", { headers: ADMINISTRATOR })
  assert.equal(response.headers.get("content-type"), "text/plain; charset=utf-8")
  assert.equal(response.headers.get("content-disposition"), "attachment; filename=logs.txt")
  const text = await response.text()
  assert.match(text, /^\d{4}-\d\d-\d\dT[\d:.]+Z \[INFO\] queue: one line queue=q lines="a\\nb"$/m)
  const json = await app.request("/api/logs?format=json&text=one+line", { headers: ADMINISTRATOR })
  const entries: unknown = await json.json()
  assert.ok(Array.isArray(entries) && entries.length === 1)
  const monitor = await addUser(http, "monitor", ["monitoring"])
  for (const path of ["/api/logs", "/api/livelog", "/api/audit"])
    await http.expect(401, `GET ${path}`, { user: monitor })
})

// ---- secrets

const printed: string[] = []
const print = (fields: object, text: string): void =>
  void printed.push(
    `${text} ${JSON.stringify(fields, (_key, value: unknown) =>
      value instanceof Error ? `${value.message} ${String(value.stack)}` : value,
    )}`,
  )
const recorder: Logger = { debug: print, info: print, warn: print, error: print }

/** All of them are given to the API below. */
const SECRETS = [
  "s3cret-put",
  "s3cret-hash",
  "s3cret-uri",
  "s3cret-array",
  "s3cret-wrong",
  "s3cret-http",
  "s3cret-import",
  "s3cret-query",
  "s3cret-global",
] as const

httpTest(
  "no secret is in the log, in the audit log, or in what is shown of them",
  async (http) => {
    const { ask } = http
    const hash = Buffer.alloc(36, "s3cret-hash").toString("base64")
    await ask("PUT /api/users/one", { body: { password: "s3cret-put", tags: "management" } })
    await ask("PUT /api/users/two", { body: { password_hash: hash, tags: "" } })
    await ask("PUT /api/users/three", { body: { password_hash: "s3cret-hash", tags: "" } })
    await ask("PUT /api/auth/hash_password", { body: { password: "s3cret-put" } })
    await ask("GET /api/auth/hash_password/s3cret-put")
    await ask("GET /api/whoami", { user: "guest:s3cret-http" })
    await ask("PUT /api/users/none", { user: "one:s3cret-put", body: { password: "s3cret-put" } })
    await ask("PUT /api/parameters/shovel/%2F/s", {
      body: {
        value: {
          "src-uri": "amqp://u:s3cret-uri@host/%2f",
          "dest-uri": ["amqp://u:s3cret-array@host"],
          "src-queue": "a",
          "dest-queue": "b",
        },
      },
    })
    await ask("PUT /api/parameters/other/%2F/s", {
      body: { value: "see amqp://u:s3cret-uri@host" },
    })
    await ask("PUT /api/global-parameters/g", { body: { value: { token: "s3cret-global" } } })
    await ask("DELETE /api/queues/%2F/none?if-unused=amqp://u:s3cret-query@h")
    await ask("POST /api/definitions", {
      body: {
        users: [{ name: "four", password: "s3cret-import", tags: "" }],
        parameters: [
          {
            vhost: "/",
            component: "federation-upstream",
            name: "f",
            value: { uri: "amqp://u:s3cret-import@h" },
          },
        ],
      },
    })
    await ask("POST /api/definitions", { body: '{"users":[{"name":"s3cret-import"' })
    const amqp = await WireClient.connect(http.running.amqpPort)
    amqp.sendHeader()
    await amqp.expect("connection.start")
    amqp.startOk({ user: "guest", password: "s3cret-wrong" })
    await amqp.expect("connection.close")
    amqp.destroy()
    const { app } = http.running.http!
    const shown = [...printed]
    for (const path of ["/api/logs", "/api/logs?format=json", "/api/audit?count=1000"]) {
      const response = await app.request(path, { headers: ADMINISTRATOR })
      assert.equal(response.status, 200)
      shown.push(await response.text())
    }
    const all = shown.join("\n")
    for (const line of ["login refused", "management request"]) assert.ok(all.includes(line), line)
    for (const secret of [...SECRETS, hash])
      assert.ok(
        !all.includes(secret),
        `${secret} in ${shown.find((line) => line.includes(secret)) ?? ""}`,
      )
    // The parameters themselves are still whole.
    const [parameter] = rows(await http.expect(200, "GET /api/parameters/other"))
    assert.equal(textOf(parameter, "value"), "see amqp://u:s3cret-uri@host")
  },
  { logger: recorder, loginThrottling: false },
)
