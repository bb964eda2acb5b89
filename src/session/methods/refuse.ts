import { ProtocolError } from "../../amqp/errors.ts"
import { isKnownMethod, METHOD_NAMES } from "../../amqp/generated/methods.ts"

/** The error for a method that is unknown, or that only the server sends, or that stands on the wrong channel. */
export function refuseMethod(method: number): ProtocolError {
  if (!isKnownMethod(method))
    return new ProtocolError(540, `unknown method ${method >>> 16}.${method & 0xffff}`)
  if (method >>> 16 === 10) return new ProtocolError(503, "unimplemented method")
  return new ProtocolError(503, `unexpected method ${METHOD_NAMES.get(method) ?? method}`)
}
