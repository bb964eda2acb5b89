/** Directories that a test may fill and that are gone when it ends. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { TestContext } from "node:test"

export function temporaryDirectory(context: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "sluice-test-"))
  context.after(() => rmSync(path, { recursive: true, force: true }))
  return path
}
