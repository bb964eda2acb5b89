/** What a message body looks like, from its content type and its bytes. Decoders are the message browser's. */
export type BodyView = "json" | "text" | "hex"

export interface MessageBody {
  readonly payload: string
  readonly payload_encoding: "string" | "base64"
}

export function bytesOf({
  payload,
  payload_encoding: encoding,
}: MessageBody): Uint8Array<ArrayBuffer> {
  if (encoding === "string") return new TextEncoder().encode(payload)
  return Uint8Array.from(atob(payload), (char) => char.charCodeAt(0))
}

export function textOf(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes)
  } catch {
    return null
  }
}

function isJson(text: string): boolean {
  if (!/^\s*[[{"]/.test(text)) return false
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

export function bestView(bytes: Uint8Array): BodyView {
  const text = textOf(bytes)
  if (text === null) return "hex"
  return isJson(text) ? "json" : "text"
}

const PER_LINE = 16

/** `00000000  48 65 6c …  |Hel…|`, at most so many bytes. */
export function hexDump(bytes: Uint8Array, max = 4096): string {
  const lines: string[] = []
  for (let start = 0; start < Math.min(bytes.length, max); start += PER_LINE) {
    const line = bytes.subarray(start, Math.min(start + PER_LINE, max))
    const hex = Array.from(line, (byte) => byte.toString(16).padStart(2, "0")).join(" ")
    const text = Array.from(line, (byte) =>
      byte >= 32 && byte < 127 ? String.fromCharCode(byte) : ".",
    ).join("")
    lines.push(`${start.toString(16).padStart(8, "0")}  ${hex.padEnd(3 * PER_LINE - 1)}  ${text}`)
  }
  return lines.join("\n")
}
