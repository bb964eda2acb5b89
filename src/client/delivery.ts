import { decodeProperties } from "../amqp/properties.ts"
import type { BasicProperties } from "../amqp/properties.ts"
import { Chunk } from "../util/bytes.ts"

/**
 * A message from the server as a view: nothing is decoded before it is asked for, and everything is valid
 * during the callback only. Who keeps it copies it (`copy()`).
 */

export class Delivery {
  /** Holds all ranges below; end is exclusive. */
  chunk: Chunk = NO_BYTES
  deliveryTag = 0
  redelivered = false
  exchangeStart = 0
  exchangeEnd = 0
  routingKeyStart = 0
  routingKeyEnd = 0
  /** Flags and fields as they stand on the wire. */
  propertiesStart = 0
  propertiesEnd = 0
  bodyStart = 0
  bodyEnd = 0
  /** basic.get only: what is left in the queue. */
  messageCount = 0
  /** basic.return only. */
  replyCode = 0
  replyText = ""

  get exchange(): string {
    return this.chunk.bytes.toString("utf8", this.exchangeStart, this.exchangeEnd)
  }

  get routingKey(): string {
    return this.chunk.bytes.toString("utf8", this.routingKeyStart, this.routingKeyEnd)
  }

  get bodySize(): number {
    return this.bodyEnd - this.bodyStart
  }

  /** A view. */
  get body(): Buffer {
    return this.chunk.bytes.subarray(this.bodyStart, this.bodyEnd)
  }

  /** A view of the property bytes, as publish() takes them. */
  get propertyBytes(): Buffer {
    return this.chunk.bytes.subarray(this.propertiesStart, this.propertiesEnd)
  }

  /** Decoded anew with each call. Throws ProtocolError if they are malformed. */
  properties(): BasicProperties {
    return decodeProperties(this.chunk.bytes, this.propertiesStart, this.propertiesEnd)
  }

  /** A message of its own, to be kept. */
  copy(): ReceivedMessage {
    return {
      deliveryTag: this.deliveryTag,
      redelivered: this.redelivered,
      exchange: this.exchange,
      routingKey: this.routingKey,
      messageCount: this.messageCount,
      properties: this.properties(),
      propertyBytes: Buffer.from(this.propertyBytes),
      body: Buffer.from(this.body),
    }
  }
}

export interface ReceivedMessage {
  readonly deliveryTag: number
  readonly redelivered: boolean
  readonly exchange: string
  readonly routingKey: string
  readonly messageCount: number
  readonly properties: BasicProperties
  readonly propertyBytes: Buffer
  readonly body: Buffer
}

const NO_BYTES = new Chunk(Buffer.alloc(0))
