/**
 * Addresses behind the `#`: `#/queues/%2F/orders?tab=bindings`. Matching and making them; the address bar
 * itself is core/router.ts.
 */
export type Query = Readonly<Record<string, string>>
export type Params = Readonly<Record<string, string>>

export interface Location {
  /** `/queues/%2F/orders`, as it stands in the address. */
  readonly path: string
  readonly query: Query
}

export function parseHash(hash: string): Location {
  const text = hash.replace(/^#/, "")
  const mark = text.indexOf("?")
  const path = mark < 0 ? text : text.slice(0, mark)
  const query = mark < 0 ? {} : Object.fromEntries(new URLSearchParams(text.slice(mark + 1)))
  const normal = `/${path.replace(/^\/+|\/+$/g, "")}`
  return { path: normal, query }
}

/** A link. Segments of the path are quoted; what is empty in the query is left out. */
export function href(segments: readonly string[], query: Query = {}): string {
  const path = segments.map((segment) => encodeURIComponent(segment)).join("/")
  return formatHash({ path: `/${path}`, query })
}

export function formatHash({ path, query }: Location): string {
  const params = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) if (value !== "") params.set(name, value)
  const text = params.toString()
  return `#${path}${text === "" ? "" : `?${text}`}`
}

/** The parameters of `/queues/:vhost/:name`, unquoted; null if the path is another one. */
export function matchPath(pattern: string, path: string): Params | null {
  const wanted = pattern.split("/")
  const found = path.split("/")
  if (wanted.length !== found.length) return null
  const params: Record<string, string> = {}
  for (const [index, part] of wanted.entries()) {
    const segment = found[index] ?? ""
    if (!part.startsWith(":")) {
      if (part !== segment) return null
      continue
    }
    const value = decode(segment)
    if (value === null) return null
    params[part.slice(1)] = value
  }
  return params
}

function decode(segment: string): string | null {
  try {
    return decodeURIComponent(segment)
  } catch {
    return null
  }
}

/** A path of the API, with quoted values: api`queues/${vhost}/${name}`. An empty name stays a segment. */
export function apiPath(texts: TemplateStringsArray, ...values: readonly string[]): string {
  return texts.reduce((path, text, index) => {
    const value = values[index]
    return path + text + (value === undefined ? "" : encodeURIComponent(value))
  }, "")
}

/** With more parameters; those that are undefined or empty are left out. */
export function withQuery(
  path: string,
  query: Readonly<Record<string, string | number | boolean | undefined>>,
): string {
  const params = new URLSearchParams()
  for (const [name, value] of Object.entries(query))
    if (value !== undefined && value !== "") params.set(name, String(value))
  const text = params.toString()
  if (text === "") return path
  return `${path}${path.includes("?") ? "&" : "?"}${text}`
}
