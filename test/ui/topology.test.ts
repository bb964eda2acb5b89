/** The picture of a vhost: what is in it, and where its nodes stand. */
import assert from "node:assert/strict"
import { test } from "node:test"
import * as fc from "fast-check"
import {
  buildGraph,
  edgeId,
  layOut,
  NODE_HEIGHT,
  nodeId,
  pathsThrough,
  selectGraph,
} from "../../src/ui/lib/topology.ts"
import type { Topology, TopologyBinding } from "../../src/ui/lib/topology.ts"
import { chooseSeed } from "../support/seed.ts"

const exchange = (name: string, alternate = ""): Topology["exchanges"][number] => ({
  name,
  type: "topic",
  internal: false,
  alternate,
})
const queue = (name: string): Topology["queues"][number] => ({
  name,
  type: "classic",
  messages: 2,
  consumers: 1,
})
const bind = (source: string, destination: string, key = "", type = "queue"): TopologyBinding => ({
  source,
  destination,
  destination_type: type,
  routing_key: key,
  arguments: {},
})

const SHOP: Topology = {
  exchanges: [exchange("shop", "spare"), exchange("eu"), exchange("spare"), exchange("lonely")],
  queues: [queue("mail"), queue("stock"), queue("lost"), queue("alone")],
  bindings: [
    bind("shop", "eu", "eu.#", "exchange"),
    bind("eu", "mail", "eu.new"),
    bind("eu", "mail", "eu.old"),
    bind("shop", "stock", "*.new"),
    bind("spare", "lost"),
  ],
}

test("bindings of the same two ends are one edge, an alternate exchange is one of its own", () => {
  const { nodes, edges } = buildGraph(SHOP)
  assert.equal(nodes.length, 8)
  assert.equal(edges.length, 5)
  const twice = edges.find(({ id }) => id === edgeId("e eu", "q mail"))
  assert.deepEqual(twice?.labels, ["eu.new", "eu.old"])
  assert.ok(edges.some(({ isAlternate, to }) => isAlternate && to === "e spare"))
  const headers = buildGraph({
    ...SHOP,
    bindings: [{ ...bind("shop", "mail"), arguments: { "x-match": "any", size: 3 } }],
  })
  assert.deepEqual(headers.edges[0]?.labels, ["x-match: any, size: 3"])
  const missing = buildGraph({ exchanges: [exchange("a", "gone")], queues: [], bindings: [] })
  assert.deepEqual(
    missing.nodes.map(({ name }) => name),
    ["a", "gone"],
  )
})

test("what is bound is shown, a text shows whole flows, and there is a bound", () => {
  const graph = buildGraph(SHOP)
  const all = selectGraph(graph, { text: "", withUnbound: false, max: 300 })
  assert.equal(all.wantedCount, 6)
  assert.equal(selectGraph(graph, { text: "", withUnbound: true, max: 300 }).wantedCount, 8)
  const mail = selectGraph(graph, { text: "MAIL", withUnbound: false, max: 300 })
  assert.deepEqual(mail.graph.nodes.map(({ id }) => id).toSorted(), ["e eu", "e shop", "q mail"])
  assert.equal(mail.graph.edges.length, 2)
  const few = selectGraph(graph, { text: "", withUnbound: true, max: 3 })
  assert.equal(few.graph.nodes.length, 3)
  assert.equal(few.wantedCount, 8)
  assert.ok(
    few.graph.nodes.some(({ id }) => id === "e shop"),
    "the one with most bindings stays",
  )
  assert.equal(selectGraph(graph, { text: "nothing", withUnbound: true, max: 3 }).wantedCount, 0)
})

test("messages flow from left to right, queues stand in the last layer", () => {
  const { nodes } = layOut(buildGraph(SHOP))
  const layer = (id: string): number => nodes.find((node) => node.id === id)?.layer ?? -1
  assert.deepEqual(
    [layer("e shop"), layer("e eu"), layer("e spare"), layer("q mail"), layer("q stock")],
    [0, 1, 1, 2, 2],
  )
})

test("paths go both ways from a node, and not to its neighbours' others", () => {
  const graph = buildGraph(SHOP)
  const { nodes, edges } = pathsThrough(graph, nodeId("exchange", "eu"))
  assert.deepEqual([...nodes].toSorted(), ["e eu", "e shop", "q mail"])
  assert.deepEqual(
    [...edges].toSorted(),
    [edgeId("e eu", "q mail"), edgeId("e shop", "e eu")].toSorted(),
  )
})

test("any graph has a place for every node, none upon another, cycles and all", () => {
  const seed = chooseSeed("topology")
  const name = fc.constantFrom("a", "b", "c", "d", "e", "f", "g", "h")
  const binding = fc.tuple(name, name, fc.constantFrom("queue", "exchange"))
  fc.assert(
    fc.property(fc.array(binding, { maxLength: 60 }), (pairs) => {
      const layout = layOut(
        buildGraph({
          exchanges: [exchange("a", "h")],
          queues: [],
          bindings: pairs.map(([from, to, type]) => bind(from, to, "", type)),
        }),
      )
      const { nodes, width, height } = layout
      for (const node of nodes) {
        assert.ok(Number.isFinite(node.x) && Number.isFinite(node.y))
        assert.ok(node.y >= 0 && node.y + NODE_HEIGHT <= height && node.x < width)
      }
      const places = nodes.toSorted((a, b) => a.x - b.x || a.y - b.y)
      for (const [index, node] of places.entries()) {
        const above = places[index - 1]
        if (above?.x === node.x) assert.ok(node.y - above.y >= NODE_HEIGHT, "they overlap")
      }
    }),
    { seed, numRuns: 300 },
  )
})

test("three hundred nodes are laid out at once", () => {
  const queues = Array.from({ length: 260 }, (_, i) => queue(`q${String(i)}`))
  const exchanges = Array.from({ length: 40 }, (_, i) => exchange(`e${String(i)}`))
  const bindings = queues.flatMap(({ name }, i) =>
    [i % 40, (i * 7) % 40, (i * 13) % 40].map((e) => bind(`e${String(e)}`, name)),
  )
  const start = process.hrtime.bigint()
  const { nodes } = layOut(buildGraph({ exchanges, queues, bindings }))
  const ms = Number(process.hrtime.bigint() - start) / 1e6
  assert.equal(nodes.length, 300)
  assert.ok(ms < 500, `${String(ms)} ms`)
})
