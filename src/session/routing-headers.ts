import { decodeProperties } from "../amqp/properties.ts"
import { findHeader } from "../amqp/table-scan.ts"
import { collectRoutingKeys } from "../broker/publishing.ts"
import { Chunk } from "../util/bytes.ts"

/**
 * The check of the headers CC and BCC when a message comes. What they mean is the broker's business
 * (broker/exchange/routing-headers.ts).
 */
const NAMES = ["CC", "BCC"].map((name) => new Chunk(Buffer.from(name)))
const TAG_ARRAY = 0x41

/**
 * Refuses a message whose CC or BCC header is no array (RabbitMQ's text), before anything else is done
 * with it. `start` and `end` are those of the properties, the others of their validated headers.
 */
export function checkRoutingHeaders(
  chunk: Chunk,
  start: number,
  end: number,
  headersStart: number,
  headersEnd: number,
): void {
  for (const name of NAMES) {
    const at = findHeader(chunk, headersStart, headersEnd, name)
    if (at < 0 || chunk.view.getUint8(at) === TAG_ARRAY) continue
    collectRoutingKeys("", decodeProperties(chunk.bytes, start, end)) // Throws.
  }
}
