import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import type { UiAsset, UiAssets } from "../http/ui.ts"

/**
 * The built files of the management UI, from dist/ui of the source checkout or of the package. Read
 * together when the first is asked for, so that a build meanwhile mixes nothing: some hundred kilobytes.
 */
interface Manifest {
  readonly index: string
  readonly assets: readonly { readonly name: string; readonly type: string }[]
}

/** Beside the compiled server, or below the folder of the source. */
const FOLDERS = [join(import.meta.dirname, "../ui"), join(import.meta.dirname, "../../dist/ui")]

/** Null if the UI has not been built. */
export function openUiAssets(folders: readonly string[] = FOLDERS): UiAssets | null {
  const folder = folders.find((one) => existsSync(join(one, "manifest.json")))
  if (folder === undefined) return null
  // Written by scripts/build-ui.ts, a part of the program.
  const manifest: Manifest = JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8"))
  const read = (name: string, type: string): UiAsset => {
    const path = join(folder, name)
    return {
      type,
      plain: new Uint8Array(readFileSync(path)),
      gzip: new Uint8Array(readFileSync(`${path}.gz`)),
      brotli: new Uint8Array(readFileSync(`${path}.br`)),
    }
  }
  const index = read(manifest.index, "text/html; charset=utf-8")
  const icon = read("favicon.svg", "image/svg+xml")
  const assets = new Map(manifest.assets.map(({ name, type }) => [name, read(name, type)]))
  return { index: () => index, icon: () => icon, asset: (name) => assets.get(name) ?? null }
}
