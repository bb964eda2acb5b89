import { createHash, timingSafeEqual } from "node:crypto"
import type { Random } from "../util/random.ts"
import { BcryptHash } from "./bcrypt-hash.ts"
import { AuthError } from "./errors.ts"

/**
 * Password hashes as RabbitMQ and LavinMQ store and exchange them:
 *
 *   base64( salt, usually 4 bytes | digest of salt and UTF-8 password )
 *
 * The digest is the tail, so any salt size can be read. The other kind, bcrypt, is bcrypt-hash.ts.
 */
export type HashAlgorithm = "sha256" | "sha512" | "md5"

export const DEFAULT_HASH_ALGORITHM: HashAlgorithm = "sha256"

/** Shown for users without a hash, too: as RabbitMQ's, tools expect a text. */
export const DEFAULT_ALGORITHM_NAME = `rabbit_password_hashing_${DEFAULT_HASH_ALGORITHM}`

const SALT_SIZE = 4

const DIGEST_SIZES: Readonly<Record<HashAlgorithm, number>> = { sha256: 32, sha512: 64, md5: 16 }

/** Marks that old versions put in front of the base64 text. */
const LEGACY_PREFIX = /^\$[156]\$/

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/

export class PasswordHash {
  readonly algorithm: HashAlgorithm
  readonly #salt: Buffer
  readonly #digest: Buffer

  private constructor(algorithm: HashAlgorithm, salt: Buffer, digest: Buffer) {
    this.algorithm = algorithm
    this.#salt = salt
    this.#digest = digest
  }

  /** A new hash with a fresh salt. */
  static create(
    password: string,
    random: Random,
    algorithm = DEFAULT_HASH_ALGORITHM,
  ): PasswordHash {
    const salt = random.bytes(SALT_SIZE)
    return new PasswordHash(algorithm, salt, computeDigest(algorithm, salt, password))
  }

  /** Reads base64 text. Throws AuthError if it cannot be a hash of this algorithm. */
  static parse(text: string, algorithm: HashAlgorithm): PasswordHash {
    const base64 = text.replace(LEGACY_PREFIX, "")
    if (!BASE64.test(base64)) throw new AuthError("password hash is not base64")
    const bytes = Buffer.from(base64, "base64")
    const digestSize = DIGEST_SIZES[algorithm]
    if (bytes.length < digestSize)
      throw new AuthError(
        `Invalid digest size ${bytes.length} for ${algorithm}, expected ${digestSize}`,
      )
    const saltSize = bytes.length - digestSize
    return new PasswordHash(algorithm, bytes.subarray(0, saltSize), bytes.subarray(saltSize))
  }

  /** Takes the same time for every password of one length, right or wrong. */
  matches(password: string): boolean {
    return timingSafeEqual(computeDigest(this.algorithm, this.#salt, password), this.#digest)
  }

  /** The name under which files and definitions store the algorithm. */
  get algorithmName(): string {
    return `rabbit_password_hashing_${this.algorithm}`
  }

  toString(): string {
    return Buffer.concat([this.#salt, this.#digest]).toString("base64")
  }
}

/** What a user's password is compared with. */
export type StoredPassword = PasswordHash | BcryptHash

/**
 * Reads a hash as it is stored or sent, with the name of its algorithm (parseAlgorithmName). Throws
 * AuthError if it cannot be one.
 */
export function parseStoredPassword(text: string, algorithmName: string | null): StoredPassword {
  const algorithm = parseAlgorithmName(algorithmName)
  return algorithm === "bcrypt" ? new BcryptHash(text) : PasswordHash.parse(text, algorithm)
}

/**
 * Accepts every name that ends in a known algorithm, whatever the case, as LavinMQ does. No name means
 * MD5: only files of very old versions leave it out. Throws AuthError for unknown names.
 */
export function parseAlgorithmName(name: string | null): HashAlgorithm | "bcrypt" {
  if (name === null || name === "") return "md5"
  const lower = name.toLowerCase()
  for (const algorithm of ["sha256", "sha512", "md5", "bcrypt"] as const)
    if (lower.endsWith(algorithm)) return algorithm
  throw new AuthError(
    `unknown password hashing algorithm '${name}' (rabbit_password_hashing_sha256, ` +
      "rabbit_password_hashing_sha512, rabbit_password_hashing_md5 or lavinmq_bcrypt)",
  )
}

/** For a hash that comes without a name, as RabbitMQ 3.5 wrote them: by its form and size. */
export function likelyAlgorithmName(text: string): string {
  if (text.startsWith("$2")) return "bcrypt"
  const size = Buffer.from(text.replace(LEGACY_PREFIX, ""), "base64").length
  for (const algorithm of ["md5", "sha512"] as const)
    if (size === SALT_SIZE + DIGEST_SIZES[algorithm]) return algorithm
  return DEFAULT_HASH_ALGORITHM
}

function computeDigest(algorithm: HashAlgorithm, salt: Buffer, password: string): Buffer {
  return createHash(algorithm).update(salt).update(password, "utf8").digest()
}
