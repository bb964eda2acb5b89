/**
 * The header that a proxy sends in front of a connection to say whose it is (PROXY protocol, versions 1
 * and 2). A pure parser: bytes in, verdict out. Whose header is believed is proxy-policy.ts.
 */

export interface ProxyAddresses {
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  readonly localPort: number
}

/** What the proxy says of a TLS connection that it has ended (PP2_TYPE_SSL). */
export interface ProxyTlsFacts {
  /** `TLSv1.3` */
  readonly protocol: string
  readonly cipher: string
  /** Of the client's certificate; null without one. For show: nobody logs in with it. */
  readonly commonName: string | null
  /** The proxy has checked the certificate. */
  readonly isVerified: boolean
}

export type ProxyVerdict =
  /** The bytes so far may become a header. */
  | { readonly kind: "incomplete" }
  /** These bytes are no header. */
  | { readonly kind: "absent" }
  /** A header that breaks the rules. */
  | { readonly kind: "invalid"; readonly reason: string }
  | {
      readonly kind: "header"
      /** Bytes of the header; what follows is the client's. */
      readonly size: number
      /** Null: the connection is the proxy's own (LOCAL, UNKNOWN), such as a health check. */
      readonly addresses: ProxyAddresses | null
      readonly tls: ProxyTlsFacts | null
    }

const V1_SIGNATURE = Buffer.from("PROXY ")
const V1_SIZE_MAX = 107
const V2_SIGNATURE = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1")
const V2_FIXED_SIZE = 16
/** Of everything behind the fixed part; addresses and all that proxies add are some hundred bytes. */
const V2_LENGTH_MAX = 4096
/** No header is longer than that. */
export const PROXY_HEADER_SIZE_MAX = V2_FIXED_SIZE + V2_LENGTH_MAX

const COMMAND_LOCAL = 0
const COMMAND_PROXY = 1
const FAMILY_IPV4 = 1
const FAMILY_IPV6 = 2
const TRANSPORT_STREAM = 1

const TLV_SSL = 0x20
const TLV_SSL_VERSION = 0x21
const TLV_SSL_CN = 0x22
const TLV_SSL_CIPHER = 0x23
const CLIENT_SSL = 1
const CLIENT_CERT_CONN = 2
const CLIENT_CERT_SESS = 4
const TEXT_SIZE_MAX = 255

const INCOMPLETE: ProxyVerdict = { kind: "incomplete" }
const ABSENT: ProxyVerdict = { kind: "absent" }

function invalid(reason: string): ProxyVerdict {
  return { kind: "invalid", reason }
}

/** `bytes` is all that was received so far. */
export function parseProxyHeader(bytes: Buffer): ProxyVerdict {
  if (startsLike(bytes, V1_SIGNATURE)) return parseV1(bytes)
  if (startsLike(bytes, V2_SIGNATURE)) return parseV2(bytes)
  return ABSENT
}

/** As far as there are bytes. */
function startsLike(bytes: Buffer, signature: Buffer): boolean {
  const size = Math.min(bytes.length, signature.length)
  return bytes.compare(signature, 0, size, 0, size) === 0
}

// ---- version 1: a line of text

function parseV1(bytes: Buffer): ProxyVerdict {
  const end = bytes.subarray(0, V1_SIZE_MAX).indexOf("\r\n")
  if (end < 0)
    return bytes.length >= V1_SIZE_MAX ? invalid("the line has more than 107 bytes") : INCOMPLETE
  const words = bytes.toString("latin1", 0, end).split(" ")
  const size = end + 2
  const [, family, source, destination, sourcePort, destinationPort] = words
  if (family === "UNKNOWN") return { kind: "header", size, addresses: null, tls: null }
  if (family !== "TCP4" && family !== "TCP6") return invalid("the family is not known")
  if (words.length !== 6) return invalid("the line has not six words")
  const isAddress = family === "TCP4" ? isIpv4 : isIpv6
  const remotePort = portOf(sourcePort ?? "")
  const localPort = portOf(destinationPort ?? "")
  if (!isAddress(source ?? "") || !isAddress(destination ?? ""))
    return invalid("an address is not of the family")
  if (remotePort < 0 || localPort < 0) return invalid("a port is not a number up to 65535")
  const addresses = {
    remoteAddress: source ?? "",
    remotePort,
    localAddress: destination ?? "",
    localPort,
  }
  return { kind: "header", size, addresses, tls: null }
}

function portOf(text: string): number {
  if (!/^(?:0|[1-9]\d{0,4})$/.test(text)) return -1
  const port = Number(text)
  return port > 65_535 ? -1 : port
}

function isIpv4(text: string): boolean {
  const parts = text.split(".")
  return parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256)
}

/** Groups of hexadecimal digits, one run of zeros left out, the last two perhaps as IPv4. */
function isIpv6(text: string): boolean {
  const halves = text.split("::")
  if (halves.length > 2) return false
  const groups = halves.flatMap((half) => (half === "" ? [] : half.split(":")))
  const last = groups.at(-1)
  let count = groups.length
  if (last?.includes(".") === true && !text.endsWith("::")) {
    if (!isIpv4(last)) return false
    groups.pop()
    count++
  }
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return false
  return halves.length === 2 ? count < 8 : count === 8
}

// ---- version 2: binary

function parseV2(bytes: Buffer): ProxyVerdict {
  if (bytes.length < V2_FIXED_SIZE) return INCOMPLETE
  const version = bytes.readUInt8(12) >>> 4
  const command = bytes.readUInt8(12) & 15
  const family = bytes.readUInt8(13) >>> 4
  const transport = bytes.readUInt8(13) & 15
  const length = bytes.readUInt16BE(14)
  if (version !== 2) return invalid("the version is not 2")
  if (command !== COMMAND_LOCAL && command !== COMMAND_PROXY)
    return invalid("the command is not known")
  if (length > V2_LENGTH_MAX) return invalid(`it is longer than ${String(PROXY_HEADER_SIZE_MAX)}`)
  const size = V2_FIXED_SIZE + length
  if (bytes.length < size) return INCOMPLETE
  const ownConnection: ProxyVerdict = { kind: "header", size, addresses: null, tls: null }
  if (command === COMMAND_LOCAL) return ownConnection
  const addressSize = family === FAMILY_IPV4 ? 4 : 16
  // Other families (Unix sockets, unspecified) have no address that could be shown.
  if (family !== FAMILY_IPV4 && family !== FAMILY_IPV6) return ownConnection
  if (transport !== TRANSPORT_STREAM) return invalid("it is not of a stream")
  const tlvStart = V2_FIXED_SIZE + 2 * addressSize + 4
  if (tlvStart > size) return invalid("it is too short for its addresses")
  const addressAt = family === FAMILY_IPV4 ? ipv4At : ipv6At
  const ports = V2_FIXED_SIZE + 2 * addressSize
  const addresses = {
    remoteAddress: addressAt(bytes, V2_FIXED_SIZE),
    localAddress: addressAt(bytes, V2_FIXED_SIZE + addressSize),
    remotePort: bytes.readUInt16BE(ports),
    localPort: bytes.readUInt16BE(ports + 2),
  }
  const fields = readTlvs(bytes.subarray(tlvStart, size))
  if (fields === null) return invalid("a field is longer than the header")
  const ssl = fields.get(TLV_SSL)
  return { kind: "header", size, addresses, tls: ssl === undefined ? null : readTls(ssl) }
}

function ipv4At(bytes: Buffer, at: number): string {
  return bytes.subarray(at, at + 4).join(".")
}

/** In the usual short form; a mapped IPv4 address as the runtime shows it. */
function ipv6At(bytes: Buffer, at: number): string {
  const groups: number[] = []
  for (let i = 0; i < 8; i++) groups.push(bytes.readUInt16BE(at + 2 * i))
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff)
    return `::ffff:${ipv4At(bytes, at + 12)}`
  const text = groups.map((group) => group.toString(16)).join(":")
  const zeros = [...text.matchAll(/(?:^|:)0(?::0)+(?=:|$)/g)].map(([run]) => run)
  const longest = zeros.toSorted((a, b) => groupCount(b) - groupCount(a))[0]
  if (longest === undefined) return text
  const start = text.indexOf(longest)
  return `${text.slice(0, start)}::${text.slice(start + longest.length).replace(/^:/, "")}`
}

function groupCount(run: string): number {
  return run.replace(/^:/, "").split(":").length
}

/** Values by type, the first of each; null if they do not fit. */
function readTlvs(bytes: Buffer): Map<number, Buffer> | null {
  const fields = new Map<number, Buffer>()
  let at = 0
  while (at < bytes.length) {
    if (at + 3 > bytes.length) return null
    const type = bytes.readUInt8(at)
    const end = at + 3 + bytes.readUInt16BE(at + 1)
    if (end > bytes.length) return null
    if (!fields.has(type)) fields.set(type, bytes.subarray(at + 3, end))
    at = end
  }
  return fields
}

/** Null if the client did not use TLS, or the field cannot be read: it is for show only. */
function readTls(bytes: Buffer): ProxyTlsFacts | null {
  if (bytes.length < 5) return null
  const client = bytes.readUInt8(0)
  const fields = readTlvs(bytes.subarray(5))
  if ((client & CLIENT_SSL) === 0 || fields === null) return null
  const text = (type: number): string | null =>
    fields.get(type)?.toString("utf8", 0, TEXT_SIZE_MAX) ?? null
  const hasCertificate = (client & (CLIENT_CERT_CONN | CLIENT_CERT_SESS)) !== 0
  return {
    protocol: text(TLV_SSL_VERSION) ?? "",
    cipher: text(TLV_SSL_CIPHER) ?? "",
    commonName: hasCertificate ? text(TLV_SSL_CN) : null,
    isVerified: hasCertificate && bytes.readUInt32BE(1) === 0,
  }
}
