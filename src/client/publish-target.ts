import { FRAME_HEADER_SIZE } from "../amqp/frames.ts"
import { writeBasicPublish } from "../amqp/generated/methods.ts"
import { Chunk } from "../util/bytes.ts"
import { ClientError } from "./errors.ts"

/**
 * Where messages go, encoded once and used for many publishes. `null` for exchange or routing key means
 * "as the delivery that is forwarded"; such a target is for forward() only.
 */
export interface TargetOptions {
  readonly exchange?: string | null
  readonly routingKey?: string | null
  readonly mandatory?: boolean
}

export class PublishTarget {
  readonly exchange: string | null
  readonly routingKey: string | null
  readonly mandatory: boolean
  /** The method frame with channel 0, or null if a part of it comes from the delivery. */
  readonly frame: Chunk | null
  /** As short strings with their length; null: the delivery's. */
  readonly exchangeBytes: Chunk | null
  readonly routingKeyBytes: Chunk | null

  constructor(options: TargetOptions) {
    this.exchange = options.exchange === undefined ? "" : options.exchange
    this.routingKey = options.routingKey === undefined ? "" : options.routingKey
    this.mandatory = options.mandatory ?? false
    this.exchangeBytes = this.exchange === null ? null : shortString(this.exchange, "exchange")
    this.routingKeyBytes =
      this.routingKey === null ? null : shortString(this.routingKey, "routing key")
    this.frame =
      this.exchange === null || this.routingKey === null
        ? null
        : new Chunk(
            Buffer.from(
              writeBasicPublish(0, {
                exchange: this.exchange,
                routingKey: this.routingKey,
                mandatory: this.mandatory,
                immediate: false,
              }),
            ),
          )
  }

  /** Throws ClientError if a part of it comes from the delivery. */
  get ownFrame(): Chunk {
    if (this.frame === null)
      throw new ClientError("usage", "the target has no exchange or no routing key of its own")
    return this.frame
  }
}

/** Exchange and routing key of the delivery. */
export const SAME_TARGET = new PublishTarget({ exchange: null, routingKey: null })

/** Frame header, method id, ticket, bits, frame end: a basic.publish without its two names. */
export const PUBLISH_FRAME_FIXED_SIZE = FRAME_HEADER_SIZE + 4 + 2 + 1 + 1

function shortString(text: string, what: string): Chunk {
  const bytes = Buffer.from(text, "utf8")
  if (bytes.length > 255) throw new ClientError("usage", `${what} is longer than 255 bytes`)
  return new Chunk(Buffer.concat([Buffer.from([bytes.length]), bytes]))
}
