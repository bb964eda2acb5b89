/**
 * Certificates of an authority of their own, made with OpenSSL when a test asks for them: for servers and
 * clients, expired ones, and those of an authority that nobody knows.
 */
import { execFileSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

export interface CertificateFiles {
  readonly cert: string
  readonly key: string
}

export interface Pem {
  readonly cert: Buffer
  readonly key: Buffer
}

export interface CertificateOptions {
  /** As OpenSSL writes it: `/O=Example/CN=orders`. Default: the name as CN. */
  readonly subject?: string
  /** Default localhost. */
  readonly names?: readonly string[]
  /** A negative number has expired. Default 100. */
  readonly days?: number
}

export class CertificateAuthority {
  /** The file of the authority's own certificate. */
  readonly file: string
  readonly #directory: string
  readonly #key: string
  #serial = 1

  constructor(directory: string, name = "ca") {
    this.#directory = directory
    this.file = join(directory, `${name}.pem`)
    this.#key = join(directory, `${name}.key`)
    const subject = `/CN=Test authority ${name}`
    openssl("req", "-x509", ...newKey(this.#key), "-out", this.file, "-subj", subject)
  }

  get pem(): Buffer {
    return readFileSync(this.file)
  }

  /** A file with the certificate and one with the key; existing ones of the name are replaced. */
  issueFiles(name: string, options: CertificateOptions = {}): CertificateFiles {
    const base = join(this.#directory, name)
    const files = { cert: `${base}.pem`, key: `${base}.key` }
    const { subject = `/CN=${name}`, names = ["localhost"], days = 100 } = options
    const alternatives = [...names.map((one) => `DNS:${one}`), "IP:127.0.0.1"]
    writeFileSync(`${base}.ext`, `subjectAltName=${alternatives.join(",")}\n`)
    openssl("req", ...newKey(files.key), "-out", `${base}.csr`, "-subj", subject)
    const signed = ["-in", `${base}.csr`, "-out", files.cert, "-extfile", `${base}.ext`]
    const authority = ["-CA", this.file, "-CAkey", this.#key, "-set_serial", String(this.#serial++)]
    openssl("x509", "-req", ...signed, ...authority, "-days", String(days))
    return files
  }

  issue(name: string, options?: CertificateOptions): Pem {
    const { cert, key } = this.issueFiles(name, options)
    return { cert: readFileSync(cert), key: readFileSync(key) }
  }
}

function newKey(file: string): string[] {
  return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", file]
}

function openssl(...args: readonly string[]): void {
  execFileSync("openssl", args, { stdio: ["ignore", "ignore", "pipe"] })
}
