import { BlockList, isIP } from "node:net"

/**
 * Whose PROXY header is believed: anybody's, or that of the proxies in a list of addresses. A believed
 * peer must send a header, all others must not.
 */

/** The message completes "bad value for proxy_protocol_trusted_sources: …". */
export class TrustedSourcesError extends RangeError {
  override readonly name = "TrustedSourcesError"
}

export class TrustedSources {
  readonly #list: BlockList | null

  /** Addresses and networks, such as 10.0.0.7 or 10.0.0.0/8; none is anybody. Throws TrustedSourcesError. */
  constructor(sources: readonly string[]) {
    this.#list = sources.length === 0 ? null : new BlockList()
    for (const source of sources) this.#add(source)
  }

  #add(source: string): void {
    const [address = "", bits] = source.split("/")
    const family = isIP(address)
    const type = family === 4 ? "ipv4" : "ipv6"
    const bitsMax = family === 4 ? 32 : 128
    const isNetwork = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= bitsMax)
    if (family === 0 || !isNetwork || source.split("/").length > 2)
      throw new TrustedSourcesError(
        `'${source}' is neither an address nor a network such as 10.0.0.0/8 or fd00::/8`,
      )
    if (bits === undefined) this.#list?.addAddress(address, type)
    else this.#list?.addSubnet(address, Number(bits), type)
  }

  /** Null is a peer on a Unix socket, who has passed the rights of its file. */
  trusts(address: string | null): boolean {
    const list = this.#list
    if (list === null || address === null) return true
    const mapped = /^::ffff:(\d.*)$/i.exec(address)?.[1] ?? address
    const family = isIP(mapped)
    return family !== 0 && list.check(mapped, family === 4 ? "ipv4" : "ipv6")
  }
}
