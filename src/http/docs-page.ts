import type { AccessLevel, Route } from "./route.ts"
import { ACCESS_DOC, openApiPath } from "./openapi.ts"

/**
 * The HTTP API for people: the route table as one page under /docs/, made once and then kept. It needs
 * no login, as the OpenAPI document, and nothing from elsewhere; what it does with script is a filter.
 */
export interface StaticFile {
  readonly contentType: string
  readonly text: string
}

export const DOCS_HEADERS: Readonly<Record<string, string>> = {
  "Content-Security-Policy":
    "default-src 'none'; style-src 'self'; script-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
  "Cache-Control": "no-cache",
}

/** By what stands behind `/docs/`. */
export function docsFiles(
  routes: readonly Route[],
  version: string,
): ReadonlyMap<string, StaticFile> {
  return new Map([
    ["", { contentType: "text/html; charset=utf-8", text: page(routes, version) }],
    ["style.css", { contentType: "text/css; charset=utf-8", text: STYLE }],
    ["filter.js", { contentType: "text/javascript; charset=utf-8", text: FILTER }],
  ])
}

const STYLE = `
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
code, pre { font: .875rem/1.5 ui-monospace, monospace; }
pre { background: var(--soft); overflow-x: auto; padding: .5rem; border-radius: 4px; }
nav a { margin-right: .75rem; white-space: nowrap; }
input { font: inherit; padding: .25rem .5rem; width: 100%; box-sizing: border-box; }
details { border-bottom: 1px solid var(--line); } summary { cursor: pointer; padding: .35rem 0; }
summary b { display: inline-block; width: 4.5rem; font-weight: 600; }
summary span { opacity: .75; margin-left: .5rem; }
details > div { padding: 0 0 1rem 4.5rem; }
table { border-collapse: collapse; width: 100%; } td { border-top: 1px solid var(--line); padding: .25rem .5rem .25rem 0; vertical-align: top; }
[hidden] { display: none; }
@media (max-width: 40rem) { details > div { padding-left: 0; } summary span { display: block; margin: 0; } }
`

const FILTER = `
const field = document.querySelector("input")
field.addEventListener("input", () => {
  const wanted = field.value.toLowerCase()
  for (const section of document.querySelectorAll("section")) {
    let shown = 0
    for (const route of section.querySelectorAll("details")) {
      route.hidden = !route.querySelector("summary").textContent.toLowerCase().includes(wanted)
      if (!route.hidden) shown++
    }
    section.hidden = shown === 0
  }
})
`

function page(routes: readonly Route[], version: string): string {
  const groups = new Map<string, Route[]>()
  for (const route of routes) {
    const group = groups.get(route.group)
    if (group === undefined) groups.set(route.group, [route])
    else group.push(route)
  }
  const names = [...groups.keys()]
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sluice management API</title>
<link rel="stylesheet" href="style.css">
</head>
<body>
<h1>Sluice management API</h1>
<p>Version ${escaped(version)}. For programs: <a href="../api/openapi.json">OpenAPI 3.1 document</a>. In paths, names are
percent-encoded: the vhost <code>/</code> is <code>%2F</code>. Errors are
<code>{"error": "…", "reason": "…"}</code>.</p>
<p><input type="search" aria-label="Filter" placeholder="Filter by method, path or text"></p>
<nav>${names.map((name) => `<a href="#${anchor(name)}">${escaped(name)}</a>`).join(" ")}</nav>
<main>
${[...groups].map(([name, members]) => section(name, members)).join("\n")}
</main>
<script src="filter.js"></script>
</body>
</html>
`
}

function section(name: string, routes: readonly Route[]): string {
  return `<section id="${anchor(name)}"><h2>${escaped(name)}</h2>
${routes.map(described).join("\n")}
</section>`
}

function described(route: Route): string {
  const { method, path, summary, access } = route
  return `<details><summary><b>${method}</b> <code>${escaped(openApiPath(path))}</code> <span>${escaped(summary)}</span></summary>
<div><p>${escaped(ACCESS_DOC[access satisfies AccessLevel])}</p>
${parameters(route)}${body(route)}${responses(route)}</div></details>`
}

/** The keywords of a schema that are shown. */
interface Shape {
  readonly type?: string
  readonly description?: string
  readonly enum?: readonly string[]
  readonly default?: unknown
  readonly properties?: Readonly<Record<string, Shape>>
  readonly required?: readonly string[]
  readonly items?: Shape
  readonly anyOf?: readonly Shape[]
  readonly allOf?: readonly Shape[]
  readonly patternProperties?: Readonly<Record<string, Shape>>
}

function parameters({ query }: Route): string {
  const rows = Object.entries<Shape>(query.properties).map(
    ([name, shape]) =>
      `<tr><td><code>${escaped(name)}</code></td><td>${escaped(typeName(shape))}</td><td>${escaped(remarks(shape))}</td></tr>`,
  )
  return rows.length === 0 ? "" : `<p>Parameters</p><table>${rows.join("")}</table>`
}

function body(route: Route): string {
  const shape: Shape | null = route.body
  return shape === null ? "" : `<p>Body</p><pre>${escaped(outline(shape, ""))}</pre>`
}

function responses(route: Route): string {
  return Object.entries(route.responses)
    .map(([status, { doc, schema }]) => {
      const shape: Shape | undefined = schema
      const text = shape === undefined ? "" : `<pre>${escaped(outline(shape, ""))}</pre>`
      return `<p>${escaped(status)}: ${escaped(doc)}</p>${text}`
    })
    .join("")
}

function remarks(shape: Shape): string {
  const fallback = shape.default === undefined ? "" : `default ${JSON.stringify(shape.default)}`
  return [shape.description ?? "", fallback].filter((text) => text !== "").join("; ")
}

function typeName({ type, enum: words, anyOf }: Shape): string {
  if (words !== undefined) return words.join(" | ")
  if (anyOf !== undefined) return anyOf.map(typeName).join(" | ")
  return type ?? "any"
}

/** A schema as JSON with types for values; a question mark is a field that may be absent. */
function outline(shape: Shape, indent: string): string {
  const inner = `${indent}  `
  if (shape.anyOf !== undefined)
    return shape.anyOf.map((one) => outline(one, indent)).join(`\n${indent}or `)
  if (shape.allOf !== undefined) return outline(merged(shape.allOf), indent)
  if (shape.type === "array") return `[ ${outline(shape.items ?? {}, indent)} ]`
  if (shape.properties !== undefined) {
    const required = shape.required ?? []
    const lines = Object.entries(shape.properties).map(([name, field]) => {
      const mark = required.includes(name) ? "" : "?"
      const text = remarks(field)
      return `${inner}${name}${mark}: ${outline(field, inner)}${text === "" ? "" : `  // ${text}`}`
    })
    return lines.length === 0 ? "{}" : `{\n${lines.join("\n")}\n${indent}}`
  }
  const any = shape.patternProperties?.["^.*$"]
  return any === undefined ? typeName(shape) : `{ any name: ${outline(any, indent)} }`
}

function merged(shapes: readonly Shape[]): Shape {
  return {
    properties: Object.assign({}, ...shapes.map(({ properties }) => properties ?? {})),
    required: shapes.flatMap(({ required }) => required ?? []),
  }
}

function anchor(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z]+/g, "-")
}

function escaped(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
}
