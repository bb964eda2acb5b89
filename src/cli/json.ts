/** JSON that comes on the command line or in files, with errors that say what is wrong with it. */
import { CliError, EXIT } from "./exit-codes.ts"
import { fieldsOf } from "./text.ts"

export function parseObject(text: string, what: string): Record<string, unknown> {
  const value = parseJson(text, what)
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new CliError(EXIT.data, `${what} are no JSON object`)
  return fieldsOf(value)
}

export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new CliError(EXIT.data, `${what} cannot be read as JSON: ${reason}`)
  }
}
