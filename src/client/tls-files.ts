import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs"
import { ClientError, messageOf } from "./errors.ts"

/** Certificates and keys that a URI names, read when the connection is made. */

/** All certificates of an operating system take a quarter of it. */
const PEM_MAX_BYTES = 1 << 20

/** Throws ClientError (usage). Only a file: reading a pipe or a device would stop the whole process. */
export function readPem(path: string, parameter: string): string {
  try {
    // Without O_NONBLOCK the opening of a pipe waits for somebody who writes to it.
    const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      const stat = fstatSync(file)
      if (!stat.isFile()) throw new Error("it is no file")
      if (stat.size > PEM_MAX_BYTES) throw new Error("it is too large")
      return readFileSync(file, "utf8")
    } finally {
      closeSync(file)
    }
  } catch (error) {
    throw new ClientError("usage", `${parameter} cannot be read: ${messageOf(error)}`)
  }
}
