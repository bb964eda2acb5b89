import type { RefusalKind } from "../broker/errors.ts"

/** The reply code of every refusal. A kind without one does not compile. */
export const REPLY_CODE = {
  "not-found": 404,
  "precondition-failed": 406,
  "access-refused": 403,
  "resource-locked": 405,
  "not-allowed": 530,
  "not-implemented": 540,
  "resource-error": 506,
  "internal-error": 541,
  "command-invalid": 503,
  "connection-forced": 320,
} as const satisfies Record<RefusalKind, number>
