/**
 * Another reply-to in the properties of a message, from wire bytes to wire bytes: requests of direct
 * reply-to carry a pseudo queue there, and the responder must see the name of the requester instead.
 */
import { Chunk, copyBytes } from "../util/bytes.ts"

/**
 * The properties between `start` and `end` with `text` in place of the short string whose text lies
 * between `textStart` and `textEnd` (PropertyScan.replyToStart and replyToEnd). At most 255 bytes.
 */
export function replaceReplyTo(
  source: Chunk,
  start: number,
  end: number,
  textStart: number,
  textEnd: number,
  text: Buffer,
): Chunk {
  const headSize = textStart - 1 - start
  const tailSize = end - textEnd
  const target = new Chunk(Buffer.alloc(headSize + 1 + text.length + tailSize))
  copyBytes(source, start, target, 0, headSize)
  target.view.setUint8(headSize, text.length)
  text.copy(target.bytes, headSize + 1)
  copyBytes(source, textEnd, target, headSize + 1 + text.length, tailSize)
  return target
}
