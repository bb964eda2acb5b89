import { IncomingMessage } from "../broker/message.ts"
import { Chunk, copyBytes } from "../util/bytes.ts"

/** A message that outlives the chunk it came in: for transactions, and replies that have to wait. */
export function copyMessage(message: IncomingMessage): IncomingMessage {
  const copy = new IncomingMessage()
  copy.route = message.route
  copy.routeStart = message.routeStart
  copy.routeEnd = message.routeEnd
  copy.properties = copyRange(message.properties, message.propertiesStart, message.propertiesEnd)
  copy.propertiesEnd = message.propertiesEnd - message.propertiesStart
  copy.body = copyRange(message.body, message.bodyStart, message.bodyEnd)
  copy.bodyEnd = message.bodyEnd - message.bodyStart
  copy.persistent = message.persistent
  copy.expires = message.expires
  copy.hasRoutingHeaders = message.hasRoutingHeaders
  return copy
}

function copyRange(source: Chunk, start: number, end: number): Chunk {
  const chunk = new Chunk(Buffer.alloc(Math.max(8, end - start)))
  copyBytes(source, start, chunk, 0, end - start)
  return chunk
}
