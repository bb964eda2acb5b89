/**
 * Protocol buffers without their description: numbers of fields and raw values, as `protoc --decode_raw` shows
 * them. What has lengths that do not add up is none of these. Bounded in fields and depth.
 */
const FIELDS_MAX = 2000
const DEPTH_MAX = 16
const BYTES_SHOWN_MAX = 64

interface State {
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly lines: string[]
  left: number
}

/** Null if the bytes are nothing of that kind, or too much of it. */
export function protobufText(bytes: Uint8Array): string | null {
  if (bytes.length === 0) return null
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const state: State = { bytes, view, lines: [], left: FIELDS_MAX }
  return readFields(state, 0, bytes.length, 0) ? state.lines.join("\n") : null
}

function readFields(state: State, start: number, end: number, depth: number): boolean {
  let at = start
  while (at < end) {
    const tag = readVarint(state.bytes, at, end)
    if (tag === null || --state.left < 0) return false
    const number = Number(tag.value >> 3n)
    if (number < 1 || number >= 2 ** 29) return false
    const next = readValue(state, { number, type: Number(tag.value & 7n), depth }, tag.next, end)
    if (next === null) return false
    at = next
  }
  return true
}

interface FieldHead {
  readonly number: number
  readonly type: number
  readonly depth: number
}

/** Where the next field begins; null if this one is damaged. */
function readValue(state: State, head: FieldHead, at: number, end: number): number | null {
  const { view, bytes } = state
  const put = (text: string): void => {
    state.lines.push(`${"  ".repeat(head.depth)}${String(head.number)}: ${text}`)
  }
  switch (head.type) {
    case 0: {
      const found = readVarint(bytes, at, end)
      if (found !== null) put(String(found.value))
      return found?.next ?? null
    }
    case 1:
      if (at + 8 > end) return null
      put(
        `${String(view.getBigUint64(at, true))}  (64 bits, as double ${view.getFloat64(at, true)})`,
      )
      return at + 8
    case 5:
      if (at + 4 > end) return null
      put(`${String(view.getUint32(at, true))}  (32 bits, as float ${view.getFloat32(at, true)})`)
      return at + 4
    case 2: {
      const length = readVarint(bytes, at, end)
      if (length === null || length.value > BigInt(end - length.next)) return null
      const stop = length.next + Number(length.value)
      readBytes(state, head, length.next, stop)
      return stop
    }
    default:
      return null
  }
}

/** Text if it can be, else a message inside, else bytes. */
function readBytes(state: State, head: FieldHead, start: number, end: number): void {
  const indent = "  ".repeat(head.depth)
  const part = state.bytes.subarray(start, end)
  const text = printable(part)
  if (text !== null) {
    state.lines.push(`${indent}${String(head.number)}: ${JSON.stringify(text)}`)
    return
  }
  const { length } = state.lines
  if (head.depth < DEPTH_MAX) {
    state.lines.push(`${indent}${String(head.number)} {`)
    if (readFields(state, start, end, head.depth + 1)) {
      state.lines.push(`${indent}}`)
      return
    }
    state.lines.length = length
  }
  const hex = Array.from(part.subarray(0, BYTES_SHOWN_MAX), (one) =>
    one.toString(16).padStart(2, "0"),
  ).join(" ")
  const rest = part.length > BYTES_SHOWN_MAX ? ` … ${String(part.length)} bytes` : ""
  state.lines.push(`${indent}${String(head.number)}: <${hex}${rest}>`)
}

function printable(bytes: Uint8Array): string | null {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes)
    return /^[^\p{Cc}\p{Cn}]*$/u.test(text.replaceAll(/[\n\r\t]/g, "")) ? text : null
  } catch {
    return null
  }
}

function readVarint(
  bytes: Uint8Array,
  start: number,
  end: number,
): { value: bigint; next: number } | null {
  let value = 0n
  for (let i = 0; i < 10; i++) {
    const byte = bytes[start + i]
    if (byte === undefined || start + i >= end) return null
    value |= BigInt(byte & 127) << BigInt(7 * i)
    if (byte < 128) return { value: BigInt.asUintN(64, value), next: start + i + 1 }
  }
  return null
}
