/** A random password: 24 letters and digits that are not taken for one another, some 138 bits. */
const LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"
const LENGTH = 24

export function generatePassword(): string {
  const bytes = new Uint8Array(LENGTH * 4)
  let password = ""
  // Bytes beyond the last full round would make the first letters more likely.
  const end = 256 - (256 % LETTERS.length)
  while (password.length < LENGTH) {
    crypto.getRandomValues(bytes)
    for (const byte of bytes)
      if (byte < end && password.length < LENGTH) password += LETTERS[byte % LETTERS.length] ?? ""
  }
  return password
}
