/**
 * Exchanges, bindings and queues of a vhost as a graph, and where to draw its nodes: exchanges in layers from
 * left to right as messages flow, queues in the last one. Pure; the picture is pages/topology.
 */
export interface TopologyExchange {
  readonly name: string
  readonly type: string
  readonly internal: boolean
  /** "" for none. */
  readonly alternate: string
}

export interface TopologyQueue {
  readonly name: string
  readonly type: string
  readonly messages: number
  readonly consumers: number
}

export interface TopologyBinding {
  readonly source: string
  readonly destination: string
  readonly destination_type: string
  readonly routing_key: string
  readonly arguments: Readonly<Record<string, unknown>>
}

export interface GraphNode {
  /** `e orders`, `q orders`: exchanges and queues may have the same name. */
  readonly id: string
  readonly kind: "exchange" | "queue"
  readonly name: string
  /** Type of the exchange, or messages and consumers. */
  readonly note: string
}

export interface GraphEdge {
  readonly id: string
  readonly from: string
  readonly to: string
  /** Keys of the bindings; of headers exchanges their arguments. */
  readonly labels: readonly string[]
  readonly isAlternate: boolean
}

export interface Graph {
  readonly nodes: readonly GraphNode[]
  readonly edges: readonly GraphEdge[]
}

export interface PlacedNode extends GraphNode {
  readonly x: number
  readonly y: number
  readonly layer: number
}

export interface PlacedEdge extends GraphEdge {
  /** How far below the top of the node it ends: several have room beside each other. */
  readonly port: number
}

export interface Layout {
  readonly nodes: readonly PlacedNode[]
  readonly edges: readonly PlacedEdge[]
  readonly width: number
  readonly height: number
}

export const nodeId = (kind: string, name: string): string =>
  `${kind === "queue" ? "q" : "e"} ${name}`

export const edgeId = (from: string, to: string, isAlternate = false): string =>
  `${from}\n${to}${isAlternate ? "\nalternate" : ""}`

export interface Topology {
  readonly exchanges: readonly TopologyExchange[]
  readonly queues: readonly TopologyQueue[]
  readonly bindings: readonly TopologyBinding[]
}

function labelOf({ routing_key: key, arguments: args }: TopologyBinding): string {
  const rest = Object.entries(args).map(
    ([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`,
  )
  return [...(key === "" ? [] : [key]), ...rest].join(", ")
}

/** Bindings between the same two are one edge. Ends that are not among the nodes are made up. */
export function buildGraph({ exchanges, queues, bindings }: Topology): Graph {
  const nodes = new Map<string, GraphNode>()
  const add = (kind: "exchange" | "queue", name: string, note: string): string => {
    const id = nodeId(kind, name)
    if (!nodes.has(id)) nodes.set(id, { id, kind, name, note })
    return id
  }
  for (const { name, type, internal } of exchanges)
    add("exchange", name, internal ? `${type}, internal` : type)
  for (const { name, messages, consumers } of queues)
    add("queue", name, `${String(messages)} messages, ${String(consumers)} consumers`)
  const edges = new Map<
    string,
    { from: string; to: string; labels: Set<string>; isAlternate: boolean }
  >()
  const join = (from: string, to: string, label: string, isAlternate: boolean): void => {
    const id = edgeId(from, to, isAlternate)
    const edge = edges.get(id) ?? { from, to, labels: new Set<string>(), isAlternate }
    if (label !== "") edge.labels.add(label)
    edges.set(id, edge)
  }
  for (const binding of bindings) {
    const kind = binding.destination_type === "queue" ? "queue" : "exchange"
    const from = add("exchange", binding.source, "")
    join(from, add(kind, binding.destination, ""), labelOf(binding), false)
  }
  for (const { name, alternate } of exchanges)
    if (alternate !== "")
      join(nodeId("exchange", name), add("exchange", alternate, "missing"), "", true)
  return {
    nodes: [...nodes.values()],
    edges: Array.from(edges, ([id, edge]) => ({ ...edge, id, labels: [...edge.labels] })),
  }
}

export interface Selection {
  readonly graph: Graph
  /** Nodes that would be shown without the bound. */
  readonly wantedCount: number
}

export interface Wanted {
  /** Nodes with this in their name, and all that leads to them or from them; "" is all. */
  readonly text: string
  /** Also those that are bound to nothing. */
  readonly withUnbound: boolean
  readonly max: number
}

/** Whole flows where they fit: breadth first from what matches, so that neighbours come before the far away. */
export function selectGraph(graph: Graph, { text, withUnbound, max }: Wanted): Selection {
  const { next, previous } = neighbours(graph)
  const isBound = (id: string): boolean => next.has(id) || previous.has(id)
  const needle = text.toLowerCase()
  const starts = graph.nodes
    .filter(({ id, name }) =>
      needle === "" ? withUnbound || isBound(id) : name.toLowerCase().includes(needle),
    )
    .map(({ id }) => id)
  // The busiest first, when not all can be shown.
  const degree = (id: string): number =>
    (next.get(id)?.length ?? 0) + (previous.get(id)?.length ?? 0)
  const ordered = starts.toSorted((a, b) => degree(b) - degree(a))
  const wanted = new Set(ordered)
  if (needle !== "") for (const id of reachable(starts, next, previous)) wanted.add(id)
  const shown = new Set([...wanted].slice(0, max))
  return {
    graph: {
      nodes: graph.nodes.filter(({ id }) => shown.has(id)),
      edges: graph.edges.filter(({ from, to }) => shown.has(from) && shown.has(to)),
    },
    wantedCount: wanted.size,
  }
}

type Neighbours = ReadonlyMap<string, readonly string[]>

function neighbours({ edges }: Graph): { next: Neighbours; previous: Neighbours } {
  const next = new Map<string, string[]>()
  const previous = new Map<string, string[]>()
  for (const { from, to } of edges) {
    push(next, from, to)
    push(previous, to, from)
  }
  return { next, previous }
}

function push(map: Map<string, string[]>, key: string, value: string): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [value])
  else list.push(value)
}

/** Everything behind the starts and everything before them, nearest first. */
function reachable(starts: readonly string[], next: Neighbours, previous: Neighbours): Set<string> {
  const found = new Set(starts)
  for (const map of [next, previous]) {
    const seen = new Set(starts)
    for (const id of seen) for (const one of map.get(id) ?? []) seen.add(one)
    for (const id of seen) found.add(id)
  }
  return found
}

export interface Highlight {
  readonly nodes: ReadonlySet<string>
  readonly edges: ReadonlySet<string>
}

/** What messages can come from and go to, seen from one node. */
export function pathsThrough(graph: Graph, id: string): Highlight {
  const { next, previous } = neighbours(graph)
  const behind = closure(id, next)
  const before = closure(id, previous)
  const edges = graph.edges
    .filter(
      ({ from, to }) =>
        (behind.has(from) && behind.has(to)) || (before.has(from) && before.has(to)),
    )
    .map((edge) => edge.id)
  return { nodes: new Set([...behind, ...before]), edges: new Set(edges) }
}

function closure(start: string, map: Neighbours): Set<string> {
  const seen = new Set([start])
  for (const id of seen) for (const one of map.get(id) ?? []) seen.add(one)
  return seen
}

export const NODE_WIDTH = 170
export const NODE_HEIGHT = 38
const GAP_X = 100
const GAP_Y = 12
const MARGIN = 16
const SWEEPS = 6

/** Layered: longest way from the sources, then orders with few crossings, then heights near the neighbours. */
export function layOut(graph: Graph): Layout {
  const layerOf = layersOf(graph)
  const layers: string[][] = []
  for (const { id } of graph.nodes) (layers[layerOf.get(id) ?? 0] ??= []).push(id)
  const filled = Array.from(layers, (layer) => layer ?? [])
  const { next, previous } = neighbours(graph)
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const isForward = sweep % 2 === 0
    sortByNeighbours(filled, isForward ? previous : next, isForward)
  }
  const y = heightsOf(filled, next, previous)
  const bottom = Math.max(0, ...y.values())
  const ports = portsOf(graph, layerOf, y)
  return {
    nodes: graph.nodes.map((node): PlacedNode => {
      const layer = layerOf.get(node.id) ?? 0
      return {
        ...node,
        layer,
        x: MARGIN + layer * (NODE_WIDTH + GAP_X),
        y: MARGIN + (y.get(node.id) ?? 0),
      }
    }),
    edges: graph.edges.map((edge): PlacedEdge => ({
      id: edge.id,
      from: edge.from,
      to: edge.to,
      labels: edge.labels,
      isAlternate: edge.isAlternate,
      port: ports.get(edge.id) ?? NODE_HEIGHT / 2,
    })),
    width: 2 * MARGIN + filled.length * (NODE_WIDTH + GAP_X) - GAP_X,
    height: 2 * MARGIN + bottom + NODE_HEIGHT,
  }
}

/** In the order of where they come from, so that they do not cross at the end. */
function portsOf(
  { edges }: Graph,
  layerOf: ReadonlyMap<string, number>,
  y: ReadonlyMap<string, number>,
): ReadonlyMap<string, number> {
  const incoming = new Map<string, GraphEdge[]>()
  for (const edge of edges) {
    const list = incoming.get(edge.to)
    if (list === undefined) incoming.set(edge.to, [edge])
    else list.push(edge)
  }
  const ports = new Map<string, number>()
  for (const list of incoming.values()) {
    list.sort(
      (a, b) =>
        (y.get(a.from) ?? 0) - (y.get(b.from) ?? 0) ||
        (layerOf.get(b.from) ?? 0) - (layerOf.get(a.from) ?? 0),
    )
    for (const [index, { id }] of list.entries())
      ports.set(id, (NODE_HEIGHT * (index + 1)) / (list.length + 1))
  }
  return ports
}

/** Edges that close a cycle do not count. Queues stand together behind the last exchange. */
function layersOf({ nodes, edges }: Graph): ReadonlyMap<string, number> {
  const exchanges = new Set(nodes.filter(({ kind }) => kind === "exchange").map(({ id }) => id))
  const next = neighbours({ nodes, edges: edges.filter(({ to }) => exchanges.has(to)) }).next
  const order = backwardOrder([...exchanges], next)
  const layer = new Map<string, number>()
  const place = new Map(order.map((id, index) => [id, index]))
  for (const id of order.toReversed()) {
    const own = layer.get(id) ?? 0
    layer.set(id, own)
    for (const one of next.get(id) ?? [])
      // Behind it in the order: no edge back.
      if ((place.get(one) ?? 0) < (place.get(id) ?? 0))
        layer.set(one, Math.max(layer.get(one) ?? 0, own + 1))
  }
  const last = exchanges.size === 0 ? 0 : Math.max(0, ...layer.values()) + 1
  for (const { id, kind } of nodes) if (kind === "queue") layer.set(id, last)
  return layer
}

/** What can be reached comes before what leads there. Without recursion: chains may be long. */
function backwardOrder(ids: readonly string[], next: Neighbours): string[] {
  const order: string[] = []
  const seen = new Set<string>()
  for (const start of ids) {
    if (seen.has(start)) continue
    seen.add(start)
    const stack = [{ id: start, at: 0 }]
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const one = next.get(top.id)?.[top.at++]
      if (one === undefined) {
        order.push(top.id)
        stack.pop()
      } else if (!seen.has(one)) {
        seen.add(one)
        stack.push({ id: one, at: 0 })
      }
    }
  }
  return order
}

function sortByNeighbours(layers: string[][], towards: Neighbours, isForward: boolean): void {
  const place = new Map<string, number>()
  const note = (layer: readonly string[]): void => {
    for (const [index, id] of layer.entries()) place.set(id, index / Math.max(1, layer.length))
  }
  for (const layer of layers) note(layer)
  for (const layer of isForward ? layers : layers.toReversed()) {
    const middle = new Map(
      layer.map((id) => [id, mean(towards.get(id) ?? [], place) ?? place.get(id) ?? 0]),
    )
    layer.sort((a, b) => (middle.get(a) ?? 0) - (middle.get(b) ?? 0))
    note(layer)
  }
}

function mean(ids: readonly string[], values: ReadonlyMap<string, number>): number | null {
  let sum = 0
  let count = 0
  for (const id of ids) {
    const value = values.get(id)
    if (value === undefined) continue
    sum += value
    count++
  }
  return count === 0 ? null : sum / count
}

/** The fullest layer stands evenly; the others go near their neighbours, in their order, without overlap. */
function heightsOf(
  layers: readonly (readonly string[])[],
  next: Neighbours,
  previous: Neighbours,
): ReadonlyMap<string, number> {
  const step = NODE_HEIGHT + GAP_Y
  const y = new Map<string, number>()
  const fullest = layers.reduce((best, layer) => (layer.length > best.length ? layer : best), [])
  const height = (fullest.length - 1) * step
  for (const [index, id] of fullest.entries()) y.set(id, index * step)
  const start = layers.indexOf(fullest)
  const rest = [...layers.slice(0, Math.max(0, start)).toReversed(), ...layers.slice(start + 1)]
  for (const layer of rest) {
    const wanted = layer.map(
      (id, index) =>
        mean([...(next.get(id) ?? []), ...(previous.get(id) ?? [])], y) ??
        ((index + 0.5) / layer.length) * height,
    )
    for (const [index, value] of spread(wanted, step, height).entries()) {
      const id = layer[index]
      if (id !== undefined) y.set(id, value)
    }
  }
  return y
}

/** Values in rising order with this distance at least, as near to what is wanted as a pass up and down gives. */
function spread(wanted: readonly number[], step: number, height: number): number[] {
  const down: number[] = []
  for (const value of wanted) down.push(Math.max(value, (down.at(-1) ?? -step) + step, 0))
  let limit = Math.max(height, (down.length - 1) * step)
  for (let index = down.length - 1; index >= 0; index--) {
    const value = Math.min(down[index] ?? 0, limit)
    down[index] = value
    limit = value - step
  }
  return down
}
