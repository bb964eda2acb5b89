/** Bodies that were compressed, by their first bytes. Unpacked up to a limit: a small body may be a large one. */
const UNPACKED_MAX = 4 << 20

export type Compression = "gzip" | "deflate"

export function compressionOf(bytes: Uint8Array): Compression | null {
  const [first = 0, second = 0] = bytes
  if (first === 0x1f && second === 0x8b) return "gzip"
  // zlib: the method is 8, and both bytes together are a multiple of 31.
  const isZlib = (first & 0x0f) === 8 && first >> 4 <= 7 && ((first << 8) | second) % 31 === 0
  return isZlib && bytes.length > 6 ? "deflate" : null
}

export interface Unpacked {
  readonly bytes: Uint8Array<ArrayBuffer>
  /** There is more, or the body was not whole: these bytes are its beginning. */
  readonly isCut: boolean
}

/** Null if the bytes only looked like it. */
export async function unpack(
  bytes: Uint8Array<ArrayBuffer>,
  format: Compression,
  max = UNPACKED_MAX,
): Promise<Unpacked | null> {
  const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream(format)).getReader()
  const parts: Uint8Array[] = []
  let size = 0
  let isCut = false
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      parts.push(value)
      size += value.length
      if (size <= max) continue
      isCut = true
      await reader.cancel()
      break
    }
  } catch {
    if (size === 0) return null
    isCut = true
  }
  return { bytes: joined(parts, Math.min(size, max)), isCut }
}

function joined(parts: readonly Uint8Array[], size: number): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(size)
  let at = 0
  for (const part of parts) {
    all.set(part.subarray(0, size - at), at)
    at = Math.min(size, at + part.length)
  }
  return all
}
