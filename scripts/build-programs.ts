/**
 * Bundles the programs of the package with esbuild: about 40 files in place of 400, which halves the time that a
 * start takes. The library is not bundled, and neither are the dependencies: both are as npm and their readers expect
 * them. Nothing is minified, so that a stack trace can be read. Needs the development dependencies.
 *
 * Everything lands in one folder, two levels below the package: files that the code finds by its own place
 * (package.json, dist/ui, the workers beside it) lie there as they do from the modules in src.
 */
import { chmodSync, rmSync } from "node:fs"
import { build } from "esbuild"

const TARGET = "dist/bin"
const PROGRAMS = ["sluice", "sluicectl", "sluiceperf"]
const WORKERS = ["src/auth/bcrypt-worker.ts", "src/perf/throughput-worker.ts"]

async function main(): Promise<void> {
  // The names of the shared files change with their content.
  rmSync(TARGET, { recursive: true, force: true })
  await build({
    entryPoints: [...PROGRAMS.map((name) => `src/bin/${name}.ts`), ...WORKERS],
    entryNames: "[name]",
    chunkNames: "[name]-[hash]",
    outdir: TARGET,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    packages: "external",
    target: "node22.18",
    charset: "utf8",
    legalComments: "none",
    logLevel: "warning",
  })
  for (const name of PROGRAMS) chmodSync(`${TARGET}/${name}.js`, 0o755)
}

await main()
