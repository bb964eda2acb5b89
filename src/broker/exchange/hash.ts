/**
 * Hash functions of the exchanges that choose by a hash. Their values are part of the product: another
 * function would send the keys of everybody's messages to other queues.
 */

/** 31 bits of a text, evenly spread (FNV-1a over UTF-16 units, then mixed). */
export function hashText(text: string, seed = 0): number {
  let hash = 0x811c_9dc5 ^ seed
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x0100_0193)
  return mix(hash) >>> 1
}

/** Spreads every bit of a 32-bit integer over all of them (the end of MurmurHash3). */
export function mix(value: number): number {
  let hash = value ^ (value >>> 16)
  hash = Math.imul(hash, 0x85eb_ca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35)
  return hash ^ (hash >>> 16)
}
