import type { Signal } from "@preact/signals"
import type { JSX } from "preact"
import { useLayoutEffect, useMemo, useRef } from "preact/hooks"
import { NODE_HEIGHT, NODE_WIDTH, pathsThrough } from "../../lib/topology.ts"
import type { Highlight, Layout, PlacedEdge, PlacedNode } from "../../lib/topology.ts"

/**
 * The picture: boxes and the lines between them. One node is in the tab order; arrow keys go to the next one,
 * Enter chooses it. What is on no path of the chosen node, or of the one below the pointer, is dimmed.
 */
export interface GraphProps {
  readonly layout: Layout
  /** 0: as large as there is room. */
  readonly zoom: Signal<number>
  readonly chosen: Signal<string>
  readonly pointed: Signal<string>
  /** The answer of the routing test comes before the chosen node. */
  readonly tested: Highlight | null
}

export const ZOOMS = [0.4, 0.5, 0.65, 0.8, 1, 1.3, 1.7]
const FIT_MIN = 0.65

/** Above so many lines labels are shown of the highlighted ones only. */
const LABELLED_MAX = 40

export function TopologyGraph({ layout, zoom, chosen, pointed, tested }: GraphProps): JSX.Element {
  const { nodes, edges, width, height } = layout
  const box = useRef<HTMLDivElement>(null)
  useLayoutEffect(() => {
    if (zoom.value !== 0) return
    const room = box.current?.clientWidth ?? width
    zoom.value = ZOOMS.findLast((one) => one <= 1 && width * one <= room) ?? FIT_MIN
    if (zoom.value < FIT_MIN) zoom.value = FIT_MIN
  }, [zoom.value])
  const byId = useMemo(() => new Map(nodes.map((node) => [node.id, node])), [layout])
  const focus = [pointed.value, chosen.value].find((id) => byId.has(id)) ?? ""
  const highlight = useMemo(
    () =>
      pointed.value === "" && tested !== null
        ? tested
        : focus === ""
          ? null
          : pathsThrough(layout, focus),
    [layout, focus, tested, pointed.value === ""],
  )
  const first = byId.has(chosen.value) ? chosen.value : (nodes[0]?.id ?? "")
  return (
    <div class="topology-scroll" ref={box} onPointerDown={(event) => startDrag(event, box.current)}>
      <svg
        class={`topology ${highlight === null ? "" : "has-highlight"}`}
        width={width * (zoom.value || 1)}
        height={height * (zoom.value || 1)}
        viewBox={`0 0 ${String(width)} ${String(height)}`}
        role="group"
        aria-label={`Exchanges and queues: ${String(nodes.length)} nodes, ${String(edges.length)} connections. Arrow keys go from one to the next.`}
        onKeyDown={(event) => moveFocus(event, layout)}
      >
        {edges.map((edge) => (
          <Edge
            key={edge.id}
            edge={edge}
            from={byId.get(edge.from)}
            to={byId.get(edge.to)}
            isLit={highlight?.edges.has(edge.id) === true}
            isLabelled={edges.length <= LABELLED_MAX || highlight?.edges.has(edge.id) === true}
          />
        ))}
        {nodes.map((node) => (
          <Node
            key={node.id}
            node={node}
            isLit={highlight?.nodes.has(node.id) === true}
            isFirst={node.id === first}
            chosen={chosen}
            pointed={pointed}
          />
        ))}
      </svg>
    </div>
  )
}

interface EdgeProps {
  readonly edge: PlacedEdge
  readonly from: PlacedNode | undefined
  readonly to: PlacedNode | undefined
  readonly isLit: boolean
  readonly isLabelled: boolean
}

const LABEL_LENGTH_MAX = 26

function Edge({ edge, from, to, isLit, isLabelled }: EdgeProps): JSX.Element | null {
  if (from === undefined || to === undefined) return null
  const startX = from.x + NODE_WIDTH
  const startY = from.y + NODE_HEIGHT / 2
  const endY = to.y + edge.port
  const isBack = to.x <= from.x
  const endX = isBack ? to.x + NODE_WIDTH : to.x - 6
  const bend = isBack ? 60 : Math.max(30, (endX - startX) / 2)
  const path = isBack
    ? `M${startX} ${startY}C${startX + bend} ${startY} ${endX + bend} ${endY} ${endX + 6} ${endY}`
    : `M${startX} ${startY}C${startX + bend} ${startY} ${endX - bend} ${endY} ${endX} ${endY}`
  const arrow = isBack ? `M${endX + 7} ${endY - 4}l-7 4l7 4z` : `M${endX - 1} ${endY - 4}l7 4l-7 4z`
  const label = edge.isAlternate ? "alternate" : edge.labels.join(" · ")
  const isLong = label.length > LABEL_LENGTH_MAX
  return (
    <g class={`topology-edge ${isLit ? "is-lit" : ""} ${edge.isAlternate ? "is-alternate" : ""}`}>
      <title>{`${from.name || "(default)"} to ${to.name}${label === "" ? "" : `: ${label}`}`}</title>
      <path class="topology-hit" d={path} />
      <path d={path} />
      <path class="topology-arrow" d={arrow} />
      {isLabelled && label !== "" && (
        <text x={endX - (isBack ? -12 : 10)} y={endY - 5} text-anchor={isBack ? "start" : "end"}>
          {isLong ? `${label.slice(0, LABEL_LENGTH_MAX - 1)}…` : label}
        </text>
      )}
    </g>
  )
}

interface NodeProps {
  readonly node: PlacedNode
  readonly isLit: boolean
  readonly isFirst: boolean
  readonly chosen: Signal<string>
  readonly pointed: Signal<string>
}

const NAME_LENGTH_MAX = 22
const NOTE_LENGTH_MAX = 28

const cut = (text: string, length: number): string =>
  text.length > length ? `${text.slice(0, length - 1)}…` : text

function Node({ node, isLit, isFirst, chosen, pointed }: NodeProps): JSX.Element {
  const { id, kind, note, x, y } = node
  const name = node.name === "" ? "(default)" : node.name
  const isChosen = chosen.value === id
  const toggle = (): void => {
    chosen.value = isChosen ? "" : id
  }
  return (
    <g
      class={`topology-node is-${kind} ${isLit ? "is-lit" : ""} ${isChosen ? "is-chosen" : ""}`}
      data-node={id}
      role="button"
      tabindex={isFirst ? 0 : -1}
      aria-pressed={isChosen}
      aria-label={`${kind === "queue" ? "Queue" : "Exchange"} ${name}${note === "" ? "" : `, ${note}`}`}
      transform={`translate(${String(x)} ${String(y)})`}
      onClick={toggle}
      onPointerEnter={() => {
        pointed.value = id
      }}
      onPointerLeave={() => {
        pointed.value = ""
      }}
      onKeyDown={(event) => {
        if (event.key !== "Enter" && event.key !== " ") return
        toggle()
        event.preventDefault()
      }}
    >
      <title>{`${name}: ${note}`}</title>
      <rect width={NODE_WIDTH} height={NODE_HEIGHT} rx={kind === "queue" ? 4 : 19} />
      <text class="topology-name" x={NODE_WIDTH / 2} y={16} text-anchor="middle">
        {cut(name, NAME_LENGTH_MAX)}
      </text>
      <text class="topology-note" x={NODE_WIDTH / 2} y={30} text-anchor="middle">
        {cut(note, NOTE_LENGTH_MAX)}
      </text>
    </g>
  )
}

/** Up and down within a layer, left and right to the nearest of the next one. */
function moveFocus(
  event: KeyboardEvent & { currentTarget: SVGSVGElement },
  { nodes }: Layout,
): void {
  const { target, key, currentTarget: svg } = event
  const id = target instanceof Element ? target.getAttribute("data-node") : null
  const from = nodes.find((node) => node.id === id)
  const side = key === "ArrowRight" ? 1 : key === "ArrowLeft" ? -1 : 0
  const down = key === "ArrowDown" ? 1 : key === "ArrowUp" ? -1 : 0
  if (from === undefined || side + down === 0) return
  event.preventDefault()
  const candidates = nodes.filter((node) =>
    side === 0
      ? node.layer === from.layer && (node.y - from.y) * down > 0
      : (node.layer - from.layer) * side > 0,
  )
  const distance = (node: PlacedNode): number =>
    Math.abs(node.layer - from.layer) * 1e6 + Math.abs(node.y - from.y)
  const [nearest] = candidates.toSorted((a, b) => distance(a) - distance(b))
  if (nearest === undefined) return
  const element = svg.querySelector<SVGElement>(`[data-node="${CSS.escape(nearest.id)}"]`)
  element?.focus()
  element?.scrollIntoView({ block: "nearest", inline: "nearest" })
}

/** The mouse moves the picture; a finger scrolls it by itself. */
function startDrag(event: PointerEvent, box: HTMLElement | null): void {
  const isNode = event.target instanceof Element && event.target.closest("[data-node]") !== null
  if (box === null || event.pointerType !== "mouse" || event.button !== 0 || isNode) return
  const { scrollLeft, scrollTop } = box
  const { clientX, clientY } = event
  const move = (next: PointerEvent): void => {
    box.scrollLeft = scrollLeft - (next.clientX - clientX)
    box.scrollTop = scrollTop - (next.clientY - clientY)
  }
  const stop = (): void => {
    removeEventListener("pointermove", move)
    removeEventListener("pointerup", stop)
    removeEventListener("pointercancel", stop)
  }
  addEventListener("pointermove", move)
  addEventListener("pointerup", stop)
  addEventListener("pointercancel", stop)
  event.preventDefault()
}
