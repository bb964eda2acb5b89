import { randomBytes } from "node:crypto"

/** The only door to randomness, so that a test or a simulation can replace it by a seed. */
export interface Random {
  bytes(count: number): Buffer
}

export const systemRandom: Random = { bytes: (count) => randomBytes(count) }

/** 128 random bits as 22 URL-safe characters, as RabbitMQ names queues and consumers. */
export function randomName(random: Random, prefix: string): string {
  return prefix + random.bytes(16).toString("base64url")
}
