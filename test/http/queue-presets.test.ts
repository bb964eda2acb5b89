import assert from "node:assert/strict"
import { eventually } from "../support/eventually.ts"
import { httpTest } from "./support.ts"
import type { HttpTest } from "./support.ts"

const names = async (http: HttpTest, preset: string): Promise<string[]> => {
  const { body } = await http.expect(
    200,
    `GET /api/queues?page=1&sort=name&columns=name&preset=${preset}`,
  )
  const { items }: { readonly items: readonly { readonly name: string }[] } = JSON.parse(
    JSON.stringify(body),
  )
  return items.map(({ name }) => name)
}

const publish = (http: HttpTest, queue: string): Promise<unknown> =>
  http.expect(200, "POST /api/exchanges/%2F/amq.default/publish", {
    body: { routing_key: queue, payload: "x", payload_encoding: "string", properties: {} },
  })

httpTest("presets pick queues by what they hold and who reads them", async (http) => {
  for (const name of ["empty", "full", "held", "read"])
    await http.expect(201, `PUT /api/queues/%2F/${name}`, { body: {} })
  await publish(http, "full")
  await publish(http, "held")
  const client = await http.client()
  await client.call("basic.consume", 1, { queue: "read", consumerTag: "c2" })
  await client.call("basic.consume", 1, { queue: "held", consumerTag: "c1" })
  await eventually(async () => assert.deepEqual(await names(http, "unacked"), ["held"]))
  assert.deepEqual(await names(http, "non-empty"), ["full", "held"])
  assert.deepEqual(await names(http, "no-consumers"), ["empty", "full"])
  await http.expect(400, "GET /api/queues?preset=nonsense")
})

httpTest("growing are queues to which more comes than goes", async (http) => {
  for (const name of ["grows", "rests", "flows"])
    await http.expect(201, `PUT /api/queues/%2F/${name}`, { body: {} })
  await publish(http, "rests")
  const client = await http.client()
  await client.call("basic.consume", 1, { queue: "flows", consumerTag: "c1", noAck: true })
  // Rates are of the last five seconds: what rests has none in the round after its message.
  await eventually(
    async () => {
      await publish(http, "grows")
      await publish(http, "flows")
      assert.deepEqual(await names(http, "growing"), ["grows"])
    },
    { timeoutMs: 30_000 },
  )
})
