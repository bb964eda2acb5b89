/** The version, which package.json alone states. */
import { readFileSync } from "node:fs"

function readVersion(): string {
  // Two levels up from src/config as well as from dist/config.
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8")
  const manifest: { readonly version: string } = JSON.parse(text)
  return manifest.version
}

export const VERSION = readVersion()
