/** When the log speaks of certificates that expire. */
import assert from "node:assert/strict"
import { X509Certificate } from "node:crypto"
import { test } from "node:test"
import { Certificates } from "../../../src/server/certificates.ts"
import { ManualClock } from "../../../src/util/clock.ts"
import { CertificateAuthority } from "../../support/certificates.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"

const DAY_MS = 86_400_000

test("the log says 30, 7 and 1 days before a certificate expires that it will", (context) => {
  const ca = new CertificateAuthority(temporaryDirectory(context))
  const pem = ca.issue("server", { days: 40 })
  const notAfterMs = Date.parse(new X509Certificate(pem.cert).validTo)
  const clock = new ManualClock(notAfterMs - 39.5 * DAY_MS)
  const log: { readonly text: string; readonly daysLeft: unknown }[] = []
  const write = (fields: object, text: string): void => {
    log.push({ text, daysLeft: Reflect.get(fields, "daysLeft") })
  }
  const certificates = new Certificates(clock, {
    debug: write,
    info: write,
    warn: write,
    error: write,
  })
  certificates.open("amqps", pem)
  certificates.start()
  assert.equal(log.length, 0)
  for (let day = 0; day < 39; day++) clock.advance(DAY_MS)
  assert.deepEqual(
    log.map(({ daysLeft }) => daysLeft),
    [29, 6, 0],
  )
  clock.advance(2 * DAY_MS)
  assert.match(log.at(-1)?.text ?? "", /has expired/)
  certificates.replace("amqps", ca.issue("server", { days: 500 }))
  assert.match(log.at(-1)?.text ?? "", /were replaced/)
  const { length } = log
  clock.advance(10 * DAY_MS)
  assert.equal(log.length, length)
  certificates.close()
})
