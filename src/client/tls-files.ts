import { readFileSync } from "node:fs"
import { ClientError, messageOf } from "./errors.ts"

/** Certificates and keys that a URI names, read when the connection is made. */
export function readPem(path: string, parameter: string): string {
  try {
    return readFileSync(path, "utf8")
  } catch (error) {
    throw new ClientError("usage", `${parameter} cannot be read: ${messageOf(error)}`)
  }
}
