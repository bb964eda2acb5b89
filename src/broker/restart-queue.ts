import type { Broker } from "./broker.ts"
import { Refusal } from "./errors.ts"
import type { MessageQueue } from "./queue/message-queue.ts"
import { Stream } from "./stream/stream.ts"
import type { Vhost } from "./vhost.ts"

/**
 * Restarts one queue while the broker runs: what is held unacknowledged goes back, consumers are cancelled,
 * the store is closed and read from disk again, as at a start of the broker. For a store that the disk has
 * left in doubt.
 */
export function restartQueue(broker: Broker, vhost: Vhost, queue: MessageQueue): void {
  broker.turn.run() // What was published is written, or refused.
  for (const session of broker.connections) session.returnDeliveries(queue)
  if (queue.unackedCount > 0 && !(queue instanceof Stream))
    throw new Refusal(
      "precondition-failed",
      `queue '${queue.name}' in vhost '${vhost.name}' was not restarted: ` +
        `${queue.unackedCount} messages are on their way to another queue or in a transaction; try again`,
    )
  const before = { ready: queue.readyCount, consumers: queue.consumerCount }
  queue.restart()
  broker.turn.schedule()
  broker.log.warn(
    { vhost: vhost.name, queue: queue.name, before, ready: queue.readyCount },
    "queue restarted: its consumers were cancelled, its messages read from disk again",
  )
}
