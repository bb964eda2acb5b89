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

const PROCESS_KEY = randomBytes(32)

export class BcryptHash {
  readonly #text: string
  /** Of the password that was right. */
  #proof: Buffer | null = null

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
    return compareInWorker(password, this.#text).then((isRight) => {
      if (isRight) this.#proof = proof
      return isRight
    })
  }

  toString(): string {
    return this.#text
  }
}
