/**
 * Takes the power out of characters that command a terminal or turn the direction of writing around, where
 * text of clients is shown to people: DEL, C1 (a CSI of one character), separators of lines and paragraphs,
 * and marks of direction. JSON has written the others as \u001b already.
 */
// oxlint-disable-next-line no-control-regex -- They are what is looked for.
const POWERFUL = /[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g

/** They become what JSON would write, such as \u009b. */
export function escapeControls(text: string): string {
  return text.replace(POWERFUL, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`)
}
