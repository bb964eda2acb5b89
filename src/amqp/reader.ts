import { isUtf8 } from "node:buffer"
import { ProtocolError } from "./errors.ts"

/**
 * Cursor over the bytes of one method or header payload. Every read is checked against the end, and
 * a breach is the peer's fault: ProtocolError, never RangeError.
 *
 * For the control plane. The data plane (publish, header, body, ack …) reads its DataView by hand.
 */
export class AmqpReader {
  readonly bytes: Buffer
  /** Next byte to read. */
  offset: number
  readonly end: number
  readonly #view: DataView

  constructor(bytes: Buffer, start = 0, end = bytes.length) {
    this.bytes = bytes
    this.offset = start
    this.end = end
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get remaining(): number {
    return this.end - this.offset
  }

  readOctet(): number {
    return this.#view.getUint8(this.#take(1))
  }

  readInt8(): number {
    return this.#view.getInt8(this.#take(1))
  }

  readShort(): number {
    return this.#view.getUint16(this.#take(2))
  }

  readInt16(): number {
    return this.#view.getInt16(this.#take(2))
  }

  readLong(): number {
    return this.#view.getUint32(this.#take(4))
  }

  readInt32(): number {
    return this.#view.getInt32(this.#take(4))
  }

  /** Unsigned, exact up to 2^53 and rounded above: no delivery tag or body size of ours gets there. */
  readLongLong(): number {
    const at = this.#take(8)
    return this.#view.getUint32(at) * 0x1_0000_0000 + this.#view.getUint32(at + 4)
  }

  readBigInt64(): bigint {
    return this.#view.getBigInt64(this.#take(8))
  }

  readBigUint64(): bigint {
    return this.#view.getBigUint64(this.#take(8))
  }

  readFloat(): number {
    return this.#view.getFloat32(this.#take(4))
  }

  readDouble(): number {
    return this.#view.getFloat64(this.#take(8))
  }

  /** At most 255 bytes by its form. Text that is no UTF-8 is refused, as RabbitMQ does. */
  readShortString(): string {
    const size = this.readOctet()
    const at = this.#take(size)
    if (size === 0) return ""
    if (!isUtf8(this.bytes.subarray(at, at + size)))
      throw new ProtocolError(501, "short string is not valid UTF-8")
    return this.bytes.toString("utf8", at, at + size)
  }

  /** A copy: it may be kept. */
  readLongString(): Buffer {
    const size = this.readLong()
    return this.readBytes(size)
  }

  /** A copy of the next bytes. */
  readBytes(size: number): Buffer {
    const at = this.#take(size)
    return Buffer.from(this.bytes.subarray(at, at + size))
  }

  /** After the last argument: nothing may be left over. */
  expectEnd(): void {
    if (this.offset !== this.end)
      throw new ProtocolError(501, `${this.remaining} trailing bytes after the last field`)
  }

  /** Reserves `size` bytes and returns where they begin. */
  #take(size: number): number {
    const at = this.offset
    if (size > this.end - at) throw new ProtocolError(501, "payload ends within a field")
    this.offset = at + size
    return at
  }
}
