/**
 * A user, password hash or permission that cannot be accepted as given: bad input of an operator, an
 * API call or a file. Not for a failed login (authenticate() returns null) or a denied access (false).
 */
export class AuthError extends Error {
  override readonly name = "AuthError"
}
