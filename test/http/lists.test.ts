/** Pages of long lists: for each order and filter what the whole list gives when it is sorted and cut here. */
import assert from "node:assert/strict"
import { EMPTY_TABLE } from "../../src/amqp/table.ts"
import { compareKeys } from "../../src/http/sorting.ts"
import type { SortKey } from "../../src/http/sorting.ts"
import { chooseSeed, createRandom } from "../support/seed.ts"
import { httpTest, rows } from "./support.ts"
import type { Json } from "./support.ts"

const COUNT = 3000
const PAGE_SIZE = 250
const SORTS = [
  "name",
  "vhost",
  "state",
  "type",
  "durable",
  "consumers",
  "messages",
  "messages_ready",
  "message_stats.publish",
  "message_stats.ack",
  "policy",
  "operator_policy",
  "nothing.of.the.kind",
]
const FILTERS = ["", "&name=9", "&name=^q\\.[12]\\d*$&use_regex=true", "&preset=no-consumers"]

function keyOf(row: Json, path: string): SortKey {
  let value: unknown = row
  for (const key of path.split("."))
    value = typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined
  if (typeof value === "boolean") return value ? 1 : 0
  return typeof value === "number" || typeof value === "string" ? value : null
}

/** Rates may change from one request to the next. */
function namesOf(list: unknown): unknown[] {
  assert.ok(Array.isArray(list))
  return list.map((row: Json) => row["name"])
}

httpTest("pages of queues are cut from the whole list in its order", async (http) => {
  const { vhost, expect, running } = http
  const random = createRandom(chooseSeed("pages of queues"))
  await expect(201, "PUT /api/vhosts/other")
  const other = running.broker.vhosts.get("other")
  assert.ok(other !== undefined)
  for (const { policies } of [vhost, other]) {
    await policies.set("short", { pattern: "1", definition: { "max-length": 1 } })
    await policies.set("long", { pattern: "2", priority: 1, definition: { "max-length": 9 } })
  }
  for (let i = 0; i < COUNT; i++) {
    const name = `q.${String(random.below(1000))}.${String(i)}`
    const attributes = { exclusive: false, autoDelete: false, arguments: EMPTY_TABLE }
    const into = random.chance(0.5) ? vhost : other
    const queue = into.declareQueue({ name, durable: random.chance(0.5), ...attributes }, null)
    queue.publishedCount = random.below(50)
    if (random.chance(0.1)) queue.setPaused(true)
  }
  for (const filter of FILTERS) {
    const all = rows(await expect(200, `GET /api/queues?${filter.slice(1)}`))
    for (const sort of SORTS) {
      const sign = random.chance(0.5) ? 1 : -1
      const sorted = all.toSorted((a, b) => sign * compareKeys(keyOf(a, sort), keyOf(b, sort)))
      const page = 1 + random.below(Math.ceil(all.length / PAGE_SIZE))
      const query = `page=${String(page)}&page_size=${String(PAGE_SIZE)}&sort=${sort}`
      const order = sign === 1 ? "" : "&sort_reverse=true"
      const { body } = await expect(200, `GET /api/queues?${query}${order}${filter}`)
      const wanted = sorted.slice((page - 1) * PAGE_SIZE, page * PAGE_SIZE)
      assert.deepEqual(namesOf(body["items"]), namesOf(wanted), `${query}${order}${filter}`)
      assert.equal(body["filtered_count"], all.length)
    }
  }
})

httpTest("the number of bindings is known without a walk over them", async ({ vhost, expect }) => {
  const attributes = { durable: false, exclusive: false, autoDelete: false, arguments: EMPTY_TABLE }
  for (let i = 0; i < 300; i++) {
    vhost.declareQueue({ name: `q${String(i)}`, ...attributes }, null)
    for (const source of ["amq.direct", "amq.topic", "amq.headers", "amq.fanout"])
      for (const routingKey of i % 3 === 0 ? ["a", "b.*"] : ["c"])
        vhost.bind(
          { source, kind: 0, destination: `q${String(i)}`, routingKey, arguments: EMPTY_TABLE },
          null,
        )
  }
  const all = rows(await expect(200, "GET /api/bindings"))
  const { body } = await expect(200, "GET /api/bindings?page=2&page_size=50")
  assert.equal(body["total_count"], all.length)
  assert.deepEqual(body["items"], all.slice(50, 100))
  const { body: last } = await expect(200, "GET /api/bindings?page=34&page_size=50")
  assert.deepEqual(last["items"], all.slice(1650, 1700))
})
