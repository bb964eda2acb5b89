import { createHash } from "node:crypto"
import type { Context } from "hono"
import type { AppBindings, HttpApp } from "./app.ts"

/**
 * Serves the management UI: one page and its files, with a strict content policy. The files are named by
 * their content, so browsers keep them for good. Where they come from is the composition root's matter.
 */
export interface UiAsset {
  readonly type: string
  readonly plain: Uint8Array<ArrayBuffer>
  readonly gzip: Uint8Array<ArrayBuffer>
  readonly brotli: Uint8Array<ArrayBuffer>
}

export interface UiAssets {
  index(): UiAsset
  icon(): UiAsset
  /** Null if there is none of this name. */
  asset(name: string): UiAsset | null
}

export const UI_CONTENT_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ")

const SECURITY: Readonly<Record<string, string>> = {
  "Content-Security-Policy": UI_CONTENT_POLICY,
  "X-Frame-Options": "DENY",
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "same-origin",
  "Cross-Origin-Opener-Policy": "same-origin",
}

const FOREVER = "public, max-age=31536000, immutable"
const ASK_AGAIN = "no-cache"

const NOT_BUILT = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Sluice</title>
<h1>The management UI is not built</h1>
<p>Run <code>npm run build:ui</code> in the source folder and start the broker again.</p>
<p>The HTTP API works without it: <a href="api/overview">api/overview</a>.</p></html>`

export function addUi(app: HttpApp, open: () => UiAssets | null): void {
  let opened: UiAssets | null | undefined
  const assets = (): UiAssets | null => (opened ??= open())
  app.get("/", (context) => {
    const index = assets()?.index()
    if (index === undefined) return page(503, NOT_BUILT)
    return serve(context, index, ASK_AGAIN)
  })
  app.get("/assets/:name", (context) => {
    const asset = assets()?.asset(context.req.param("name")) ?? null
    if (asset === null) return new Response("Not Found", { status: 404, headers: SECURITY })
    return serve(context, asset, FOREVER)
  })
  app.get("/favicon.svg", (context) => {
    const icon = assets()?.icon()
    if (icon === undefined) return new Response(null, { status: 404, headers: SECURITY })
    return serve(context, icon, "public, max-age=86400")
  })
  app.get(
    "/robots.txt",
    () =>
      new Response("User-agent: *\nDisallow: /\n", { headers: { "Content-Type": "text/plain" } }),
  )
}

function page(status: number, html: string): Response {
  return new Response(html, {
    status,
    headers: {
      ...SECURITY,
      "Content-Type": "text/html; charset=utf-8",
      "Cache-Control": "no-store",
    },
  })
}

function serve(context: Context<AppBindings>, asset: UiAsset, caching: string): Response {
  const encoding = bestEncoding(context.req.header("accept-encoding") ?? "")
  const tag = etagOf(asset, encoding)
  const headers: Record<string, string> = {
    ...SECURITY,
    "Content-Type": asset.type,
    "Cache-Control": caching,
    ETag: tag,
    Vary: "Accept-Encoding",
  }
  if (matches(context.req.header("if-none-match"), tag))
    return new Response(null, { status: 304, headers })
  if (encoding !== null) headers["Content-Encoding"] = encoding
  const bytes = encoding === "br" ? asset.brotli : encoding === "gzip" ? asset.gzip : asset.plain
  return new Response(bytes, { headers: { ...headers, "Content-Length": String(bytes.length) } })
}

/** Brotli before gzip, of those that the browser has not refused with q=0. */
export function bestEncoding(header: string): "br" | "gzip" | null {
  const accepted = new Set<string>()
  for (const part of header.split(",")) {
    const [name = "", ...params] = part.split(";").map((text) => text.trim().toLowerCase())
    if (!params.some((param) => /^q=0(?:\.0*)?$/.test(param))) accepted.add(name)
  }
  if (accepted.has("br")) return "br"
  return accepted.has("gzip") ? "gzip" : null
}

const etags = new WeakMap<UiAsset, string>()

/** Each form of the file has its own. */
function etagOf(asset: UiAsset, encoding: string | null): string {
  let hash = etags.get(asset)
  if (hash === undefined) {
    hash = createHash("sha256").update(asset.plain).digest("base64url").slice(0, 22)
    etags.set(asset, hash)
  }
  return `"${hash}${encoding === null ? "" : `-${encoding}`}"`
}

function matches(header: string | undefined, tag: string): boolean {
  if (header === undefined) return false
  return header
    .split(",")
    .some((one) => one.trim().replace(/^W\//, "") === tag || one.trim() === "*")
}
