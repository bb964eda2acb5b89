/**
 * The door of the command line tool to the disk: files that a command names, standard input, the file of
 * contexts. Data directories are read through storage/.
 */
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs"
import { dirname } from "node:path"
import { CliError, EXIT } from "./exit-codes.ts"

/** Definitions of 100,000 queues are some 30 MB; the API takes no more than this either. */
const FILE_SIZE_MAX = 128 << 20
const PRIVATE_MODE = 0o600
const PRIVATE_DIRECTORY_MODE = 0o700
const LINE_SIZE_MAX = 4096

export function exists(path: string): boolean {
  return existsSync(path)
}

/** Null if it can be opened; otherwise the system's code, such as EACCES. */
export function socketProblem(path: string): string | null {
  try {
    accessSync(path, constants.R_OK | constants.W_OK)
    return null
  } catch (error) {
    return codeOf(error)
  }
}

/** `-` is standard input. */
export async function readInput(path: string): Promise<Buffer> {
  if (path === "-") return readStream(process.stdin)
  try {
    if (statSync(path).size > FILE_SIZE_MAX) throw tooLarge(path)
    return readFileSync(path)
  } catch (error) {
    throw fileError("read", path, error)
  }
}

async function readStream(stream: AsyncIterable<Uint8Array | string>): Promise<Buffer> {
  const pieces: Buffer[] = []
  let size = 0
  for await (const piece of stream) {
    const bytes = Buffer.from(piece)
    size += bytes.length
    if (size > FILE_SIZE_MAX) throw tooLarge("standard input")
    pieces.push(bytes)
  }
  return Buffer.concat(pieces)
}

function tooLarge(path: string): CliError {
  return new CliError(EXIT.data, `${path} is larger than ${String(FILE_SIZE_MAX)} bytes`)
}

/** A file that appears with its whole content or not at all. */
export class OutputFile {
  readonly #path: string
  readonly #temporaryPath: string
  #isBegun = false

  constructor(path: string) {
    this.#path = path
    this.#temporaryPath = `${path}.tmp.${String(process.pid)}`
  }

  write(bytes: Uint8Array): void {
    try {
      writeFileSync(this.#temporaryPath, bytes, {
        flag: this.#isBegun ? "a" : "w",
        mode: PRIVATE_MODE,
      })
      this.#isBegun = true
    } catch (error) {
      throw fileError("write", this.#temporaryPath, error)
    }
  }

  finish(): void {
    try {
      if (!this.#isBegun) this.write(new Uint8Array())
      renameSync(this.#temporaryPath, this.#path)
    } catch (error) {
      throw fileError("write", this.#path, error)
    }
  }
}

/** Null if there is none. */
export function readTextIfPresent(path: string): string | null {
  try {
    return readFileSync(path, "utf8")
  } catch (error) {
    if (codeOf(error) === "ENOENT") return null
    throw fileError("read", path, error)
  }
}

/** For files with secrets; the folder is made, for the owner only. */
export function writePrivate(path: string, text: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: PRIVATE_DIRECTORY_MODE })
    const temporaryPath = `${path}.tmp.${String(process.pid)}`
    writeFileSync(temporaryPath, text, { mode: PRIVATE_MODE })
    chmodSync(temporaryPath, PRIVATE_MODE)
    renameSync(temporaryPath, path)
  } catch (error) {
    throw fileError("write", path, error)
  }
}

/** Whether others than the owner can read it. */
export function isOpenToOthers(path: string): boolean {
  return (statSync(path).mode & 0o077) !== 0
}

export function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    return false
  }
}

/** Where a symbolic link points; null if that cannot be read. */
export function linkTarget(path: string): string | null {
  try {
    return readlinkSync(path)
  } catch {
    return null
  }
}

/** The first line of standard input. On a terminal it is asked for, and what is typed is not shown. */
export async function readSecretLine(prompt: string): Promise<string> {
  const { stdin } = process
  if (stdin.isTTY) return askHidden(stdin, prompt)
  let text = ""
  stdin.setEncoding("utf8")
  for await (const piece of stdin) {
    text += String(piece)
    if (text.includes("\n") || text.length > LINE_SIZE_MAX) break
  }
  return (text.split("\n")[0] ?? "").replace(/\r$/, "")
}

function askHidden(stdin: NodeJS.ReadStream, prompt: string): Promise<string> {
  process.stderr.write(prompt)
  stdin.setRawMode(true)
  stdin.setEncoding("utf8")
  return new Promise((resolve, reject) => {
    let line = ""
    const end = (): void => {
      stdin.off("data", onData)
      stdin.setRawMode(false)
      stdin.pause()
      process.stderr.write("\n")
    }
    const onData = (text: string): void => {
      for (const char of text) {
        if (char === "\r" || char === "\n" || char === "\u0004") {
          end()
          resolve(line)
          return
        }
        if (char === "\u0003") {
          end()
          reject(new CliError(EXIT.usage, "interrupted"))
          return
        }
        if (char === "\u007f" || char === "\b") line = line.slice(0, -1)
        else if (line.length < LINE_SIZE_MAX) line += char
      }
    }
    stdin.on("data", onData)
    stdin.resume()
  })
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "UNKNOWN"
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file or folder",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EISDIR: "it is a folder",
  ENOSPC: "the disk is full",
}

function fileError(what: string, path: string, error: unknown): CliError {
  if (error instanceof CliError) return error
  const code = codeOf(error)
  const exitCode = code === "EACCES" || code === "EPERM" ? EXIT.noPermission : EXIT.data
  return new CliError(exitCode, `cannot ${what} ${path}: ${REASONS[code] ?? code}`, error)
}
