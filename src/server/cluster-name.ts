import { createHash } from "node:crypto"
import { hostname } from "node:os"
import type { Random } from "../util/random.ts"

/**
 * What a broker calls itself to others as long as nobody has named its cluster: the same after a restart,
 * and another one for each data directory, because brokers that federate each other are told apart by it.
 */
export function uniqueClusterName(dataDirectory: string | null, random: Random): string {
  const host = hostname()
  const part =
    dataDirectory === null
      ? random.bytes(3).toString("hex")
      : createHash("sha1").update(`${host}:${dataDirectory}`, "utf8").digest("hex").slice(0, 6)
  return `sluice@${host}-${part}`
}
