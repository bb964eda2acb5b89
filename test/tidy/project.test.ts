/**
 * Files around the code that must stay in step with it: lock file, package contents, documents,
 * generated pages.
 */
import assert from "node:assert/strict"
import { existsSync, globSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { test } from "node:test"
import {
  OPTIONS_PAGE,
  SAMPLE_FILE,
  formatSampleFile,
  insertOptionsTable,
} from "../../scripts/generate-docs.ts"
import { manualPages } from "../../scripts/man-pages.ts"
import { VERSION } from "../../src/config/version.ts"

const read = (path: string): string => readFileSync(path, "utf8")

test("the lock file and .npmrc name no registry host", () => {
  for (const path of ["package-lock.json", ".npmrc"])
    assert.doesNotMatch(read(path), /"resolved"|^\s*[\w@:/.-]*registry\s*=|\/\/registry\.|_auth/im)
})

test("the lock file has the packages of every platform, without which npm ci refuses it", () => {
  type Entry = { readonly optionalDependencies?: Readonly<Record<string, string>> }
  const lock: { readonly packages: Readonly<Record<string, Entry>> } = JSON.parse(
    read("package-lock.json"),
  )
  const missing = Object.values(lock.packages)
    .flatMap((entry) => Object.keys(entry.optionalDependencies ?? {}))
    .filter((name) => lock.packages[`node_modules/${name}`] === undefined)
  assert.deepEqual(missing, [])
})

test("the manual pages show the options and commands of today", () => {
  const { man }: { readonly man: readonly string[] } = JSON.parse(read("package.json"))
  assert.deepEqual([...manualPages().keys()], man)
  for (const [path, text] of manualPages())
    assert.equal(read(path), text, `npm run generate: ${path}`)
})

test("dependencies are pinned to exact versions", () => {
  const manifest: Record<string, Record<string, string>> = JSON.parse(read("package.json"))
  for (const group of ["dependencies", "optionalDependencies", "devDependencies"])
    for (const [name, version] of Object.entries(manifest[group] ?? {}))
      assert.match(version, /^\d+\.\d+\.\d+$/, `${group}: ${name}`)
})

test("docs/configuration.md shows every option as it is", () => {
  const page = read(OPTIONS_PAGE)
  assert.equal(page, insertOptionsTable(page), "npm run generate")
})

test("the sample of a configuration file shows every option as it is", () => {
  assert.equal(read(SAMPLE_FILE), formatSampleFile(), "npm run generate")
})

test("the changelog knows the version or what comes next", () => {
  const changelog = read("CHANGELOG.md")
  assert.match(changelog, /^## \[Unreleased\]/m)
  assert.ok(VERSION === "0.1.0" || changelog.includes(`## [${VERSION}]`))
})

test("links between the documents lead somewhere", () => {
  const broken: string[] = []
  for (const path of globSync(["*.md", "docs/**/*.md"]))
    for (const [, target] of read(path).matchAll(/\]\((?!https?:|mailto:|#)([^)#\s]+)[^)]*\)/g))
      if (!existsSync(join(dirname(path), target!))) broken.push(`${path}: ${target!}`)
  assert.deepEqual(broken, [])
})

test("paths that the documents name exist", () => {
  const broken: string[] = []
  for (const path of globSync(["*.md", "docs/**/*.md"]))
    for (const [, named] of read(path).matchAll(/`((?:src|test|bench|scripts|docs)\/[\w./-]+)`/g))
      if (!existsSync(named!)) broken.push(`${path}: ${named!}`)
  assert.deepEqual(broken, [])
})

test("documents and code name no private path", () => {
  const files = globSync(["*.md", "docs/**/*.md", "src/**/*.ts", "test/**/*.ts", "bench/**/*.ts"])
  const secret = /[/](?:work|home|root)[/]/
  assert.deepEqual(
    files.filter((path) => secret.test(read(path))),
    [],
  )
})
