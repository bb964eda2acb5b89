import type { TLSSocket } from "node:tls"
import { oneLine } from "./tls-contexts.ts"

/** What is known of an encrypted connection, for the management and for the login by certificate. */
export interface Encryption {
  /** `TLSv1.3` */
  readonly protocol: string
  /** `TLS_AES_256_GCM_SHA384` */
  readonly cipher: string
  /** Of the client; null if it has shown none. */
  readonly certificate: PeerCertificate | null
}

export interface PeerCertificate {
  /** Of the authority that the listener was given: who has it may log in by it. */
  readonly isVerified: boolean
  /** `CN=orders,O=Example` */
  readonly distinguishedName: string
  /** Null unless there is exactly one. */
  readonly commonName: string | null
  readonly issuer: string
  /** `2026-01-01T00:00:00Z - 2027-01-01T00:00:00Z` */
  readonly validity: string
}

export function encryptionOf(socket: TLSSocket, isVerified: boolean): Encryption {
  const certificate = socket.getPeerX509Certificate()
  return {
    protocol: socket.getProtocol() ?? "",
    cipher: socket.getCipher().standardName,
    certificate:
      certificate === undefined
        ? null
        : {
            isVerified,
            distinguishedName: oneLine(certificate.subject),
            commonName: commonNameOf(certificate.toLegacyObject().subject.CN),
            issuer: oneLine(certificate.issuer),
            validity: `${isoTime(certificate.validFrom)} - ${isoTime(certificate.validTo)}`,
          },
  }
}

/** Of several names none is better than the others. */
function commonNameOf(name: unknown): string | null {
  return typeof name === "string" && name !== "" ? name : null
}

function isoTime(text: string): string {
  const ms = Date.parse(text)
  return Number.isNaN(ms) ? text : new Date(ms).toISOString().replace(".000Z", "Z")
}
