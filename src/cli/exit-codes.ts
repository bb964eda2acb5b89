/**
 * How sluicectl ends: the codes of sysexits.h, as rabbitmqctl uses them, and the error that carries one.
 * What a command says on success is not decided here.
 */
export const EXIT = {
  ok: 0,
  usage: 64,
  data: 65,
  unavailable: 69,
  software: 70,
  noPermission: 77,
  config: 78,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** For the help and the documentation. */
export const EXIT_MEANINGS: readonly (readonly [ExitCode, string])[] = [
  [EXIT.ok, "The command has done what it says."],
  [EXIT.usage, "The command line makes no sense: unknown command, option, column or format."],
  [
    EXIT.data,
    "The broker refused the input: something is absent, exists already, or has a bad value; or a file is damaged.",
  ],
  [
    EXIT.unavailable,
    "The broker cannot be reached, a health check failed, or the command has no counterpart here.",
  ],
  [EXIT.software, "The broker or sluicectl failed in an unexpected way."],
  [EXIT.noPermission, "Wrong credentials, a missing tag, or no right to open a socket or file."],
  [EXIT.config, "The file of contexts or another setting of sluicectl cannot be used."],
]

/** Ends the command with one line for a human. Never holds a password. */
export class CliError extends Error {
  override readonly name = "CliError"
  readonly exitCode: ExitCode

  constructor(exitCode: ExitCode, message: string, cause?: unknown) {
    super(message, { cause })
    this.exitCode = exitCode
  }
}

export function usageError(message: string): CliError {
  return new CliError(EXIT.usage, message)
}
