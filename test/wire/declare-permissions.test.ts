/** Which permissions a declaration takes beyond the configure permission on its own name. */
import assert from "node:assert/strict"
import type { WireClient } from "../support/wire-client.ts"
import { declare, table, wireTest, type WireTest } from "./harness.ts"

/** A connection of a user who may do so much in the vhost /. */
async function connectWith(
  wire: WireTest,
  permissions: { configure: string; write: string; read: string },
): Promise<WireClient> {
  const { users } = wire.broker()
  await users.put("app", { password: "app" })
  await users.setPermissions("app", "/", permissions)
  const client = await wire.open({ user: "app", password: "app" })
  await client.openChannel(1)
  return client
}

async function expectRefusal(client: WireClient, wanted: RegExp): Promise<void> {
  await client.expectChannelClose(1, { code: 403, text: wanted })
  await client.openChannel(1)
}

wireTest("a server-named queue takes the permission for its generated name", async (wire) => {
  const client = await connectWith(wire, { configure: "^mine", write: ".*", read: ".*" })
  client.send("queue.declare", 1, { queue: "", exclusive: true })
  await expectRefusal(client, /configure access to queue 'amq\.gen-[\w-]{22}' in vhost '\/'/)
  const other = await connectWith(wire, { configure: "^amq\\.gen-", write: ".*", read: ".*" })
  await other.call("queue.declare", 1, { queue: "", exclusive: true })
})

wireTest(
  "a dead letter exchange takes read on the queue and write on the exchange",
  async (wire) => {
    const admin = await wire.channel()
    const args = table({ "x-dead-letter-exchange": "dlx" })
    await admin.call("queue.declare", 1, { queue: "old", arguments: args })
    const client = await connectWith(wire, { configure: ".*", write: "^other", read: ".*" })
    client.send("queue.declare", 1, { queue: "q", arguments: args })
    await expectRefusal(
      client,
      /write access to exchange 'dlx' in vhost '\/' refused for user 'app'/,
    )
    // What exists may be declared again.
    await client.call("queue.declare", 1, { queue: "old", arguments: args })
    const blind = await connectWith(wire, { configure: ".*", write: ".*", read: "^other" })
    blind.send("queue.declare", 1, { queue: "q", arguments: args })
    await expectRefusal(blind, /read access to queue 'q' in vhost '\/' refused for user 'app'/)
  },
)

wireTest(
  "an alternate exchange takes read on the exchange and write on the alternate",
  async (wire) => {
    const args = table({ "alternate-exchange": "ae" })
    const client = await connectWith(wire, { configure: ".*", write: "^other", read: ".*" })
    client.send("exchange.declare", 1, { exchange: "x", type: "fanout", arguments: args })
    await expectRefusal(
      client,
      /write access to exchange 'ae' in vhost '\/' refused for user 'app'/,
    )
    const blind = await connectWith(wire, { configure: ".*", write: ".*", read: "^other" })
    blind.send("exchange.declare", 1, { exchange: "x", type: "fanout", arguments: args })
    await expectRefusal(blind, /read access to exchange 'x' in vhost '\/' refused for user 'app'/)
  },
)

wireTest("an x-priority that is no integer is refused with 406", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  for (const priority of ["high", 1.5, true]) {
    client.send("basic.consume", 1, { queue: "q", arguments: table({ "x-priority": priority }) })
    await client.expectChannelClose(1, {
      code: 406,
      text: /^PRECONDITION_FAILED - invalid arg 'x-priority'/,
      method: "basic.consume",
    })
    await client.openChannel(1)
  }
  const accepted = { "x-priority": -5, "x-cancel-on-ha-failover": true }
  await client.call("basic.consume", 1, { queue: "q", arguments: table(accepted) })
  assert.equal((await client.call("queue.declare", 1, { queue: "q" })).consumerCount, 1)
})
