import type { JSX } from "preact"
import { Badge, Panel } from "../../components/basics.tsx"
import { nowMs } from "../../core/clock.ts"
import { formatAge, formatDate } from "../../lib/format.ts"
import type { Listener } from "../overview/types.ts"
import type { Certificate } from "./types.ts"

/** Where the broker listens, and until when its certificates are good. */
const SOON_MS = 21 * 86_400_000

export function Listeners(props: {
  listeners: readonly Listener[]
  certificates: readonly Certificate[]
}): JSX.Element {
  const { listeners, certificates } = props
  return (
    <Panel title="Listeners">
      <ul class="overview-listeners">
        {listeners.map(({ protocol, ip_address: address, port }) => (
          <li key={`${protocol} ${address} ${String(port)}`}>
            <span>{protocol}</span>
            <span class="mono">
              {address.includes(":") ? `[${address}]` : address}:{port}
            </span>
          </li>
        ))}
        {certificates.map((one) => (
          <li key={`${one.protocol} ${one.host} ${one.subject}`}>
            <span>
              {one.protocol} certificate {one.host !== "" && `for ${one.host}`}{" "}
              <span class="muted">{one.subject}</span>
            </span>
            <Expiry timeMs={one.not_after} />
          </li>
        ))}
      </ul>
    </Panel>
  )
}

function Expiry({ timeMs }: { timeMs: number }): JSX.Element {
  const leftMs = timeMs - nowMs()
  const text =
    leftMs < 0 ? `expired ${formatAge(timeMs, nowMs())}` : `expires ${formatAge(timeMs, nowMs())}`
  const tone = leftMs < 0 ? "danger" : leftMs < SOON_MS ? "warn" : "ok"
  return (
    <Badge tone={tone} title={formatDate(timeMs)}>
      {text}
    </Badge>
  )
}
