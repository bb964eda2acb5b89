import { replyName } from "./spec.ts"

/**
 * The peer broke the protocol: the connection closes with `code`, one of the hard reply codes (501, 502,
 * 503, 504, 505, 530, 540, 541). Never a bug of ours (that is an AssertionError) and never a refusal
 * of a well-formed request (that is the broker's Refusal).
 */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError"
  readonly code: number
  /** Ids of the offending method, 0 if unknown. The codec sees bytes only, so the dispatcher fills them in. */
  classId: number
  methodId: number

  constructor(code: number, message: string, classId = 0, methodId = 0) {
    super(message)
    this.code = code
    this.classId = classId
    this.methodId = methodId
  }

  /** Text for connection.close: `FRAME_ERROR - explanation`, at most 255 bytes. */
  get replyText(): string {
    return formatReplyText(this.code, this.message)
  }
}

/** `NAME - explanation` as RabbitMQ writes it, cut to the 255 bytes of a short string. */
export function formatReplyText(code: number, explanation: string): string {
  return cutShortString(`${replyName(code)} - ${explanation}`)
}

/** Cuts to 255 bytes of UTF-8 without splitting a character. */
export function cutShortString(text: string): string {
  const bytes = Buffer.from(text, "utf8")
  if (bytes.length <= 255) return text
  let end = 255
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end-- // A continuation byte follows the cut.
  return bytes.toString("utf8", 0, end)
}

/** `size` is that of the whole frame. */
export function frameTooLarge(type: number, size: number, frameMax: number): ProtocolError {
  return new ProtocolError(
    501,
    `type ${type} frame of ${size} bytes exceeds negotiated frame_max ${frameMax}`,
  )
}
