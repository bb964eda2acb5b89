import { createHmac, randomBytes, timingSafeEqual } from "node:crypto"
import { compareInWorker } from "./bcrypt-comparison.ts"
import { AuthError } from "./errors.ts"

/**
 * A bcrypt hash, as LavinMQ has them: `$2a$04$` and 53 characters of salt and digest. Only for hashes
 * that come from elsewhere; new passwords get a salted SHA-256 (password-hash.ts).
 *
 * A comparison is slow by design and runs on another thread. Requests of the management bring the
 * password each time, so a password that was right is remembered, under a key that only this process
 * knows, and is recognised at once.
 */

/** Each step doubles the time: 16 takes several seconds. */
const COST_MAX = 16
const FORMAT = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/

/**
 * Passwords that are compared with one hash at one time. Guesses at one user must not take all places
 * of the thread (bcrypt-comparison.ts) from the other users.
 */
export const COMPARISONS_MAX = 16

const PROCESS_KEY = randomBytes(32)

export class BcryptHash {
  readonly #text: string
  /** Of the password that was right. */
  #proof: Buffer | null = null
  /** By proof: many clients that come with the same password at one time need one comparison. */
  readonly #underWay = new Map<string, Promise<boolean>>()

  /** Throws AuthError. */
  constructor(text: string) {
    const cost = Number(FORMAT.exec(text)?.[1] ?? "0")
    if (cost < 4) throw new AuthError("password hash is not bcrypt ($2a$..., 60 characters)")
    if (cost > COST_MAX)
      throw new AuthError(`bcrypt hash has cost ${cost}, at most ${COST_MAX} is supported`)
    this.#text = text
  }

  /** As LavinMQ calls it; RabbitMQ has none. */
  get algorithmName(): string {
    return "lavinmq_bcrypt"
  }

  /** At once for a password that was right before. Rejects if it cannot be compared. */
  matches(password: string): boolean | Promise<boolean> {
    const proof = createHmac("sha256", PROCESS_KEY).update(password, "utf8").digest()
    if (this.#proof !== null && timingSafeEqual(proof, this.#proof)) return true
    const key = proof.toString("latin1")
    const known = this.#underWay.get(key)
    if (known !== undefined) return known
    if (this.#underWay.size >= COMPARISONS_MAX)
      return Promise.reject(
        new Error("too many logins wait for the comparison with this bcrypt hash"),
      )
    const comparison = this.#compare(password, proof).finally(() => this.#underWay.delete(key))
    this.#underWay.set(key, comparison)
    return comparison
  }

  async #compare(password: string, proof: Buffer): Promise<boolean> {
    const isRight = await compareInWorker(password, this.#text)
    if (isRight) this.#proof = proof
    return isRight
  }

  toString(): string {
    return this.#text
  }
}
