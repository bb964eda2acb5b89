/** The HTTP API over TLS and over a Unix socket, and certificates that are replaced at SIGHUP. */
import assert from "node:assert/strict"
import { execFile } from "node:child_process"
import { copyFileSync, writeFileSync } from "node:fs"
import { connect as connectSocket } from "node:net"
import { join } from "node:path"
import { test } from "node:test"
import { connect as connectTls } from "node:tls"
import { promisify } from "node:util"
import { connect as connectAmqplib } from "amqplib"
import { BrokerProcess } from "../support/broker-process.ts"
import { CertificateAuthority } from "../support/certificates.ts"
import { eventually, within } from "../support/eventually.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"
import { startBroker } from "../../src/server/start-broker.ts"
import { httpTest } from "./support.ts"

const run = promisify(execFile)

async function curl(...args: readonly string[]): Promise<string> {
  const { stdout } = await run("curl", ["-sS", "--max-time", "10", "-u", "guest:guest", ...args])
  return stdout
}

/** Common name of the certificate that is shown to whoever asks for no name. */
function nameShown(port: number): Promise<string> {
  const socket = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false })
  const shown = new Promise<string>((resolve, reject) => {
    socket.once("error", reject)
    socket.once("secureConnect", () => resolve(String(socket.getPeerCertificate().subject.CN)))
  })
  return within(shown, "certificate").finally(() => socket.destroy())
}

const listeners = (text: string): unknown => JSON.parse(text)["listeners"]

test("curl gets the API over TLS and over a Unix socket", async (context) => {
  const directory = temporaryDirectory(context)
  const ca = new CertificateAuthority(directory)
  const other = new CertificateAuthority(directory, "other")
  const unixPath = join(directory, "http.sock")
  const running = await startBroker({
    amqp: { port: 0 },
    http: { port: null, unixPath, tls: { port: 0, ...ca.issue("server", { days: 20 }) } },
  })
  context.after(() => running.close())
  const url = `https://localhost:${running.http?.tlsPort ?? 0}/api`
  const overview = await curl("--cacert", ca.file, `${url}/overview`)
  assert.match(JSON.stringify(listeners(overview)), /"protocol":"https"/)
  await assert.rejects(curl("--cacert", other.file, `${url}/overview`), /certificate/)
  // As guest, who may log in from this machine only.
  const who = await curl("--unix-socket", unixPath, "http://localhost/api/whoami")
  assert.match(who, /"name":"guest"/)
  const nobody = await run("curl", ["-s", "--unix-socket", unixPath, "http://localhost/api/whoami"])
  assert.match(nobody.stdout, /not_authori[sz]ed/)
  const check = `${url}/health/checks/certificate-expiration`
  assert.match(await curl("--cacert", ca.file, `${check}/2/weeks`), /"ok"/)
  assert.match(await curl("--cacert", ca.file, `${check}/1/months`), /Certificates expiring/)
})

test("the HTTP API asks for client certificates, too, and outlives those who send none", async (context) => {
  const ca = new CertificateAuthority(temporaryDirectory(context))
  const running = await startBroker({
    amqp: { port: 0 },
    http: { port: null, tls: { port: 0, ...ca.issue("server"), ca: ca.pem, verifyPeer: true } },
  })
  context.after(() => running.close())
  const port = running.http?.tlsPort ?? 0
  const url = `https://localhost:${port}/api/whoami`
  await assert.rejects(curl("--cacert", ca.file, url))
  const stalled = connectSocket({ port, host: "127.0.0.1" })
  stalled.on("error", () => {})
  stalled.write(Buffer.from("16030100", "hex"))
  context.after(() => stalled.destroy())
  const { cert, key } = ca.issueFiles("client")
  const answer = await curl("--cacert", ca.file, "--cert", cert, "--key", key, url)
  assert.match(answer, /"name":"guest"/)
})

httpTest("the check of certificates: none to expire, bad windows and units", async (http) => {
  const path = "GET /api/health/checks/certificate-expiration"
  await http.expect(200, `${path}/10/years`)
  await http.expect(400, `${path}/x/days`)
  await http.expect(400, `${path}/1/fortnights`)
})

test("SIGHUP replaces certificates; connections stay, bad files are told", async (context) => {
  const directory = temporaryDirectory(context)
  const ca = new CertificateAuthority(directory)
  const first = ca.issueFiles("first")
  const hosted = ca.issueFiles("hosted")
  const second = ca.issueFiles("second")
  const file = (name: string): string => join(directory, name)
  copyFileSync(first.cert, file("live.pem"))
  copyFileSync(first.key, file("live.key"))
  writeFileSync(
    file("sluice.ini"),
    `[main]\ntls_cert = ${file("live.pem")}\ntls_key = ${file("live.key")}\n` +
      `[amqp]\ntls_port = 0\n[mgmt]\ntls_port = 0\n` +
      `[sni:mq.example.com]\namqp_tls_cert = ${hosted.cert}\namqp_tls_key = ${hosted.key}\n` +
      `http_tls_cert = ${second.cert}\nhttp_tls_key = ${second.key}\n`,
  )
  const broker = await BrokerProcess.start({
    dataDirectory: join(directory, "data"),
    flags: ["--config", file("sluice.ini")],
  })
  try {
    const [, amqps = ""] = await broker.waitForOutput(/:(\d+) \(TLS\)/)
    const [, https = ""] = await broker.waitForOutput(/https:\/\/127\.0\.0\.1:(\d+)/)
    const url = `amqps://localhost:${amqps}`
    const old = await connectAmqplib(url, { ca: [ca.pem], host: "127.0.0.1" })
    assert.equal(await nameShown(Number(amqps)), "first")
    copyFileSync(second.cert, file("live.pem")) // The key does not fit yet.
    broker.child.kill("SIGHUP")
    await eventually(() => assert.match(broker.stderr, /the certificates stay as they were/))
    assert.equal(await nameShown(Number(amqps)), "first")
    copyFileSync(second.key, file("live.key"))
    broker.child.kill("SIGHUP")
    await eventually(async () => assert.equal(await nameShown(Number(amqps)), "second"))
    assert.equal(await nameShown(Number(https)), "second")
    await (await old.createChannel()).assertQueue("still-there")
    await old.close()
  } finally {
    await broker.stop()
  }
})

test("wrong files and sections are told at the start, with the name of the file", async (context) => {
  const directory = temporaryDirectory(context)
  const dataDirectory = join(directory, "data")
  const cases: readonly (readonly [string, RegExp])[] = [
    ["[main]\ntls_cert = /does/not/exist.pem\n", /certificate \/does\/not\/exist\.pem: ENOENT/],
    ["[main]\ntls_min_version = 1.4\n", /sluice\.ini:2: bad value for tls_min_version/],
    ["[sni:a b]\ntls_cert = x\n", /sluice\.ini:1: \[sni:a b\] names no host/],
    ["[sni:a.test]\ntls_crt = x\n", /sluice\.ini:2: unknown key tls_crt in \[sni:a\.test\]/],
    ["[sni:a.test]\ntls_cert = x\n", /\[sni:a\.test\] needs a tls_cert in \[main\]/],
    ["[amqp]\nproxy_protocol_trusted_sources = host\n", /sluice\.ini:2: .*neither an address/],
  ]
  for (const [text, message] of cases) {
    writeFileSync(join(directory, "sluice.ini"), text)
    const flags = ["--config", join(directory, "sluice.ini")]
    await assert.rejects(BrokerProcess.start({ dataDirectory, flags }), message)
  }
})
