/** Passwords in URIs are not shown; a form that is sent back with the mask in it means the old password. */
const MASK = "••••"

const USER_INFO = /([a-z][a-z0-9+.-]*:\/\/[^\s/:@"]*):([^\s/"]*)@/gi

export function maskUri(uri: string): string {
  return uri.replace(USER_INFO, (_, start: string) => `${start}:${MASK}@`)
}

/** Masks every text in a value of JSON. */
export function maskValue(value: unknown): unknown {
  if (typeof value === "string") return maskUri(value)
  if (Array.isArray(value)) return value.map(maskValue)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, maskValue(one)]))
}

/** `typed`, with the password of `original` where the mask still stands. */
export function unmaskUri(typed: string, original: string): string {
  if (!typed.includes(`:${MASK}@`)) return typed
  const [, , password = ""] = new RegExp(USER_INFO.source, "i").exec(original) ?? []
  return typed.replace(`:${MASK}@`, () => `:${password}@`)
}

/** The same for a value of a parameter: a URI, or several, one on a line in the form. */
export function urisToText(value: unknown): string {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value ?? ""]
  return list.map((uri) => maskUri(textOf(uri))).join("\n")
}

export function urisFromText(text: string, original: unknown): string | readonly string[] {
  const before: readonly unknown[] = Array.isArray(original) ? original : [original ?? ""]
  const uris = text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .map((line, index) => {
      const same = before.find((uri) => maskUri(textOf(uri)) === line)
      return unmaskUri(line, textOf(same ?? before[index]))
    })
  const [only = ""] = uris
  return uris.length > 1 ? uris : only
}

function textOf(uri: unknown): string {
  return typeof uri === "string" ? uri : ""
}
