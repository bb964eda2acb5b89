import type { TlsVersion } from "../config/parse-values.ts"

/** What a TLS listener can be told. Texts are PEM, never paths: who reads files is config/. */

/** Of one host name. */
export interface TlsHostOptions {
  /** The certificate with its chain, the certificate first. */
  readonly cert: string | Buffer
  /** Default: the private key stands in `cert`. */
  readonly key?: string | Buffer
  /** Default 1.2. A name of `hosts` may ask for more than the others, not for less. */
  readonly minVersion?: TlsVersion
  /** The authorities whose client certificates are accepted; needed with `verifyPeer`. */
  readonly ca?: string | Buffer
  /** Clients must have a certificate of `ca`. Default false. */
  readonly verifyPeer?: boolean
}

export interface TlsOptions extends TlsHostOptions {
  /** Cipher suites as OpenSSL lists them, for all names. Default: those of the runtime. */
  readonly ciphers?: string
  /** Other certificates by the name that the client asks for; `*.example.com` stands for one label. */
  readonly hosts?: Readonly<Record<string, TlsHostOptions>>
  /** The secrets of connections are appended here, for finding faults. Default: nowhere. */
  readonly keylogFile?: string
}

/** The message says what is wrong with which certificate. */
export class TlsOptionsError extends Error {
  override readonly name = "TlsOptionsError"
}
