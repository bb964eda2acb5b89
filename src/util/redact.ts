/**
 * Takes secrets out of what is logged, shown or kept of requests: values under names that mean a secret,
 * and passwords in URIs. For control plane only: it walks over what it gets.
 */
export const REDACTED = "[redacted]"

const SECRET_NAME =
  /passw|secret|token|authorization|cookie|credential|hash(?!ing|_algorithm)|private[-_]?key/i
/** `amqp://user:password@host`: all between the colon and the last at sign before a slash or a space. */
const USER_INFO = /\b([a-z][a-z0-9+.-]{1,20}:\/\/[^\s/:@"'<>]*):[^\s/"'<>]*@/gi
const DEPTH_MAX = 6

export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name)
}

export function redactText(text: string): string {
  return text.includes("://") ? text.replace(USER_INFO, `$1:${REDACTED}@`) : text
}

/** The same value if there is nothing to hide in it, else a copy. */
export function redact(value: unknown, depth = 0): unknown {
  if (typeof value === "string") return redactText(value)
  if (typeof value !== "object" || value === null) return value
  if (depth >= DEPTH_MAX) return "[too deep]"
  if (value instanceof Error) return redactError(value)
  if (Array.isArray(value)) {
    const items: readonly unknown[] = value
    const copy = items.map((item) => redact(item, depth + 1))
    return copy.some((item, index) => item !== items[index]) ? copy : value
  }
  if (value instanceof Map) return redact(Object.fromEntries(value), depth)
  return redactFields(value, depth)
}

function redactFields(value: object, depth: number): unknown {
  let isChanged = false
  const copy = Object.entries(value).map(([name, field]): [string, unknown] => {
    const shown = isSecretName(name) && holdsSecret(field) ? REDACTED : redact(field, depth + 1)
    if (shown !== field) isChanged = true
    return [name, shown]
  })
  // Not by assignment: a client may have called a field __proto__.
  return isChanged ? Object.fromEntries(copy) : value
}

/** A flag, a count or nothing tells no secret. */
function holdsSecret(value: unknown): boolean {
  return typeof value === "string" ? value !== "" : typeof value === "object" && value !== null
}

function redactError(error: Error): unknown {
  const { message, stack } = error
  const shown = redactText(message)
  if (shown === message && (stack === undefined || redactText(stack) === stack)) return error
  const copy = new Error(shown)
  copy.name = error.name
  if (stack !== undefined) copy.stack = redactText(stack)
  return copy
}
