import { ClientError } from "../client/errors.ts"
import type { ClientConnection } from "../client/connection.ts"
import type { ThroughputSettings } from "./settings.ts"

/**
 * Declares what a throughput run publishes to and consumes from. A queue that exists with other arguments
 * is used as it is. Returns the names, with those that the server made up.
 */
export async function declareTopology(
  connection: ClientConnection,
  settings: ThroughputSettings,
  purge: boolean,
): Promise<string[]> {
  let channel = await connection.openChannel()
  const names: string[] = []
  for (const name of settings.queues) {
    const isNamed = name !== ""
    let declared = name
    try {
      const options = {
        durable: isNamed,
        autoDelete: !isNamed,
        arguments: settings.queueArguments,
      }
      declared = (await channel.declareQueue(name, options)).queue
    } catch (error) {
      if (!(error instanceof ClientError) || error.kind !== "channel-closed" || !isNamed)
        throw error
      channel = await connection.openChannel()
      await channel.checkQueue(name)
    }
    names.push(declared)
    if (settings.exchange !== "")
      await channel.bindQueue(declared, settings.exchange, settings.routingKey ?? declared)
    if (purge) await channel.purgeQueue(declared)
  }
  await channel.close()
  return names
}
