/**
 * Builds the management UI: bundles src/ui with esbuild into files named by their content, compresses
 * them, and writes dist/ui/manifest.json, from which the broker serves them. Refuses a bundle over budget.
 */
import { createHash } from "node:crypto"
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { brotliCompressSync, constants, gzipSync } from "node:zlib"
import type * as esbuildTypes from "esbuild"
import type { BuildOptions, Plugin } from "esbuild"

/** Of all JavaScript and CSS together, gzipped. */
export const BUDGET_BYTES = 120_000

const SOURCE = "src/ui"
const TARGET = "dist/ui"

interface Asset {
  readonly name: string
  readonly type: string
  readonly size: number
  readonly gzipSize: number
  readonly hash: string
}

export interface Manifest {
  readonly index: string
  readonly assets: readonly Asset[]
  /** Of JavaScript and CSS. */
  readonly gzipSize: number
}

const TYPES: Readonly<Record<string, string>> = {
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
  html: "text/html; charset=utf-8",
}

type Esbuild = Pick<typeof esbuildTypes, "build">

/** Null where development dependencies were left out. */
async function loadEsbuild(): Promise<Esbuild | null> {
  try {
    return await import("esbuild")
  } catch {
    return null
  }
}

interface Output {
  readonly path: string
  readonly contents: Uint8Array
}

/** As it was minified by its authors: that is 1.3 KB smaller, compressed, than what the bundler makes of the module. */
function chartLibrary(): Output {
  const text = readFileSync("node_modules/uplot/dist/uPlot.iife.min.js", "utf8").trimEnd()
  const contents = Buffer.from(`${text}export default uPlot;\n`)
  return { path: `uplot-${hashOf(contents).slice(0, 8).toUpperCase()}.js`, contents }
}

function importing({ path }: Output): Plugin {
  return {
    name: "chart library",
    setup: (build) =>
      build.onResolve({ filter: /^uplot$/ }, () => ({ path: `./${path}`, external: true })),
  }
}

async function bundle(esbuild: Esbuild): Promise<Output[]> {
  const charts = chartLibrary()
  const common: BuildOptions = {
    bundle: true,
    minify: true,
    write: false,
    outdir: TARGET,
    entryNames: "[name]-[hash]",
    chunkNames: "[name]-[hash]",
    assetNames: "[name]-[hash]",
    target: ["es2022", "chrome109", "firefox115", "safari16.4"],
    legalComments: "none",
    charset: "utf8",
    logLevel: "warning",
  }
  const app = await esbuild.build({
    ...common,
    format: "esm",
    splitting: true,
    // Calls of `h` are a kilobyte smaller, compressed, than what src/ui/tsconfig.json says to the compiler.
    jsx: "transform",
    jsxFactory: "h",
    jsxFragment: "Fragment",
    tsconfigRaw: {},
    inject: [`${SOURCE}/jsx.ts`],
    plugins: [importing(charts)],
    entryPoints: { app: `${SOURCE}/main.tsx`, style: `${SOURCE}/styles/main.css` },
  })
  // Runs before the first paint, so it is no module.
  const boot = await esbuild.build({
    ...common,
    format: "iife",
    entryPoints: { theme: `${SOURCE}/theme-boot.ts` },
  })
  return [...(app.outputFiles ?? []), ...(boot.outputFiles ?? []), charts]
}

export async function buildUi(target = TARGET): Promise<Manifest | null> {
  const esbuild = await loadEsbuild()
  if (esbuild === null) return null
  // Built aside and moved, so that a broker which starts meanwhile reads the old files or the new ones.
  const folder = `${target}.${String(process.pid)}`
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const assets: Asset[] = []
  for (const { path, contents } of await bundle(esbuild))
    assets.push(write(folder, basename(path), Buffer.from(contents)))
  write(folder, "favicon.svg", readFileSync(`${SOURCE}/favicon.svg`))
  write(folder, "index.html", Buffer.from(indexPage(assets)))
  writeFileSync(join(folder, "licenses.txt"), licenses())
  const gzipSize = assets.reduce((sum, asset) => sum + asset.gzipSize, 0)
  const manifest: Manifest = { index: "index.html", assets, gzipSize }
  writeFileSync(join(folder, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`)
  rmSync(target, { recursive: true, force: true })
  renameSync(folder, target)
  return manifest
}

/** Of the libraries in the bundle: they want to be named wherever it goes. */
function licenses(): string {
  return ["preact", "@preact/signals", "@preact/signals-core", "uplot"]
    .map((name) => `${name}\n\n${readFileSync(`node_modules/${name}/LICENSE`, "utf8").trim()}\n`)
    .join("\n----\n\n")
}

function write(folder: string, name: string, bytes: Buffer): Asset {
  const gzip = gzipSync(bytes, { level: 9 })
  writeFileSync(join(folder, name), bytes)
  writeFileSync(join(folder, `${name}.gz`), gzip)
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11 }
  writeFileSync(join(folder, `${name}.br`), brotliCompressSync(bytes, { params }))
  return {
    name,
    type: TYPES[name.split(".").at(-1) ?? ""] ?? "application/octet-stream",
    size: bytes.length,
    gzipSize: gzip.length,
    hash: hashOf(bytes).slice(0, 16),
  }
}

function hashOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex")
}

function indexPage(assets: readonly Asset[]): string {
  const page = readFileSync(`${SOURCE}/index.html`, "utf8")
  return page.replaceAll(/\{\{(\w+)\.(\w+)\}\}/g, (_, name: string, ending: string) => {
    const found = assets.find(
      (asset) => asset.name.startsWith(`${name}-`) && asset.name.endsWith(`.${ending}`),
    )
    if (found === undefined) throw new Error(`the bundle has no ${name}.${ending}`)
    return `assets/${found.name}`
  })
}

if (import.meta.main) {
  const manifest = await buildUi()
  if (manifest === null) {
    console.log("esbuild is not installed: the management UI is not built (npm run build:ui)")
  } else {
    const kib = (manifest.gzipSize / 1024).toFixed(1)
    console.log(`management UI: ${String(manifest.assets.length)} files, ${kib} KiB gzipped`)
    if (manifest.gzipSize > BUDGET_BYTES) {
      console.error(`over the budget of ${String(BUDGET_BYTES)} bytes`)
      process.exitCode = 1
    }
  }
}
