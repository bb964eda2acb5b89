import { assert } from "../util/assert.ts"
import { FRAME_END, FRAME_HEADER_SIZE, FRAME_METHOD } from "./frames.ts"

/**
 * Growing output buffer with a cursor, for method frames and tables of the control plane. The data
 * plane writes into the connection's output chunk instead.
 */
export class AmqpWriter {
  #bytes: Buffer
  #view: DataView
  #offset = 0

  constructor(capacity = 128) {
    this.#bytes = Buffer.allocUnsafeSlow(capacity)
    this.#view = new DataView(this.#bytes.buffer, 0, capacity)
  }

  get offset(): number {
    return this.#offset
  }

  /** What was written so far: a view, valid until the next write. */
  written(): Buffer {
    return this.#bytes.subarray(0, this.#offset)
  }

  writeOctet(value: number): void {
    const at = this.#take(1)
    this.#view.setUint8(at, value)
  }

  writeShort(value: number): void {
    const at = this.#take(2)
    this.#view.setUint16(at, value)
  }

  writeLong(value: number): void {
    const at = this.#take(4)
    this.#view.setUint32(at, value)
  }

  writeLongLong(value: number): void {
    const at = this.#take(8)
    this.#view.setUint32(at, Math.floor(value / 0x1_0000_0000))
    this.#view.setUint32(at + 4, value % 0x1_0000_0000)
  }

  writeBigInt64(value: bigint): void {
    const at = this.#take(8)
    this.#view.setBigInt64(at, value)
  }

  writeBigUint64(value: bigint): void {
    const at = this.#take(8)
    this.#view.setBigUint64(at, value)
  }

  writeFloat(value: number): void {
    const at = this.#take(4)
    this.#view.setFloat32(at, value)
  }

  writeDouble(value: number): void {
    const at = this.#take(8)
    this.#view.setFloat64(at, value)
  }

  /** Whoever passes text of unknown length cuts or refuses it first (cutShortString). */
  writeShortString(text: string): void {
    const size = Buffer.byteLength(text, "utf8")
    assert(size <= 255, "short string longer than 255 bytes")
    const at = this.#take(1 + size)
    this.#view.setUint8(at, size)
    this.#bytes.write(text, at + 1, size, "utf8")
  }

  writeLongString(value: Buffer | string): void {
    const bytes = typeof value === "string" ? Buffer.from(value, "utf8") : value
    this.writeLong(bytes.length)
    this.writeBytes(bytes)
  }

  writeBytes(bytes: Buffer): void {
    const at = this.#take(bytes.length)
    bytes.copy(this.#bytes, at)
  }

  /** Leaves room for a u32 length that endLength() fills in with the number of bytes written since. */
  beginLength(): number {
    return this.#take(4)
  }

  endLength(at: number): void {
    this.#view.setUint32(at, this.#offset - at - 4)
  }

  /** Starts a method frame; endFrame() completes it. `methodId` is class-id << 16 | method-id. */
  beginMethodFrame(channel: number, methodId: number): void {
    this.beginFrame(FRAME_METHOD, channel)
    this.writeLong(methodId)
  }

  beginFrame(type: number, channel: number): void {
    assert(this.#offset === 0, "one frame per writer")
    const at = this.#take(FRAME_HEADER_SIZE)
    this.#view.setUint8(at, type)
    this.#view.setUint16(at + 1, channel)
  }

  /** Fills in the frame's size, appends the end octet and returns the whole frame. */
  endFrame(): Buffer {
    this.#view.setUint32(3, this.#offset - FRAME_HEADER_SIZE)
    this.writeOctet(FRAME_END)
    return this.written()
  }

  /** Reserves room. Growing replaces the view, so this comes first, on a line of its own. */
  #take(size: number): number {
    const at = this.#offset
    const needed = at + size
    if (needed > this.#bytes.length) this.#grow(needed)
    this.#offset = needed
    return at
  }

  #grow(needed: number): void {
    const bytes = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2))
    this.#bytes.copy(bytes, 0, 0, this.#offset)
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, 0, bytes.length)
  }
}
