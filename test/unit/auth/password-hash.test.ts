import assert from "node:assert/strict"
import { test } from "node:test"
import { AuthError } from "../../../src/auth/errors.ts"
import {
  parseAlgorithmName,
  PasswordHash,
  type HashAlgorithm,
} from "../../../src/auth/password-hash.ts"
import { systemRandom } from "../../../src/util/random.ts"

const VECTORS: readonly (readonly [HashAlgorithm, hash: string, password: string])[] = [
  ["sha256", "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR", "test12"],
  ["md5", "ytUIm8s3AnKsXQjptplKFytfVxI=", "simon"],
  ["sha256", "+pHuxkR9fCyrrwXjOD4BP4XbzO3l8LJr8YkThMgJ0yVHFRE+", "guest"],
]

for (const [algorithm, hash, password] of VECTORS)
  test(`the published ${algorithm} hash of '${password}' matches it and nothing else`, () => {
    const parsed = PasswordHash.parse(hash, algorithm)
    assert.equal(parsed.matches(password), true)
    for (const wrong of ["", `${password} `, password.toUpperCase(), password.slice(1)])
      assert.equal(parsed.matches(wrong), false)
    assert.equal(parsed.toString(), hash)
  })

test("the salt of a known hash gives the known hash", () => {
  const random = { bytes: (): Buffer => Buffer.from("908dc60a", "hex") }
  assert.equal(PasswordHash.create("test12", random).toString(), VECTORS[0]![1])
})

test("a new hash is read back, in every algorithm and any script", () => {
  for (const algorithm of ["sha256", "sha512", "md5"] as const) {
    const hash = PasswordHash.create("pässwörd ☃", systemRandom, algorithm)
    assert.ok(PasswordHash.parse(hash.toString(), algorithm).matches("pässwörd ☃"))
    assert.ok(!PasswordHash.parse(hash.toString(), algorithm).matches("passwörd ☃"))
    const other = PasswordHash.create("pässwörd ☃", systemRandom, algorithm)
    assert.notEqual(hash.toString(), other.toString())
    assert.equal(parseAlgorithmName(hash.algorithmName), algorithm)
  }
})

test("salts of any size are read", () => {
  for (const size of [0, 1, 8, 32]) {
    const random = { bytes: (): Buffer => Buffer.alloc(size, 7) }
    const hash = PasswordHash.create("p", random).toString()
    assert.ok(PasswordHash.parse(hash, "sha256").matches("p"))
  }
})

test("marks of old versions in front are ignored", () => {
  const [algorithm, hash, password] = VECTORS[0]!
  for (const prefix of ["$1$", "$5$", "$6$"])
    assert.ok(PasswordHash.parse(prefix + hash, algorithm).matches(password))
})

test("what cannot be a hash is refused", () => {
  assert.throws(
    () => PasswordHash.parse(VECTORS[1]![1], "sha256"),
    (error) =>
      error instanceof AuthError &&
      error.message === "Invalid digest size 20 for sha256, expected 32",
  )
  assert.throws(() => PasswordHash.parse("not base64!", "sha256"), AuthError)
  assert.throws(() => PasswordHash.parse("", "sha256"), AuthError)
})

test("algorithms are known by the end of their name, none means MD5", () => {
  assert.equal(parseAlgorithmName("rabbit_password_hashing_sha256"), "sha256")
  assert.equal(parseAlgorithmName("SHA512"), "sha512")
  assert.equal(parseAlgorithmName("Rabbit_Password_Hashing_MD5"), "md5")
  assert.equal(parseAlgorithmName(null), "md5")
  assert.equal(parseAlgorithmName("lavinmq_bcrypt"), "bcrypt")
  assert.throws(() => parseAlgorithmName("rot13"), /unknown password hashing algorithm 'rot13'/)
})
