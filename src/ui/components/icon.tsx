import type { JSX } from "preact"

/** The UI's own icons: 24 units, one stroke, the colour of the text. Decoration: they have no name. */
const PATHS = {
  gauge: "M4 15a8 8 0 1 1 16 0M12 15l4-5M4 19h16",
  server: "M4 5h16v6H4zM4 13h16v6H4zM8 8h.01M8 16h.01",
  lines: "M5 6h14M5 10h10M5 14h14M5 18h8",
  plug: "M9 3v5M15 3v5M7 8h10v3a5 5 0 0 1-10 0zM12 16v5",
  layers: "M12 4l9 5-9 5-9-5zM3 14l9 5 9-5",
  inbox: "M4 13h4l2 3h4l2-3h4M4 13l3-8h10l3 8v6H4z",
  split: "M4 12h5l6-6h5M9 12l6 6h5M17 3l3 3-3 3M17 15l3 3-3 3",
  queue: "M4 7h4v10H4zM10 7h4v10h-4zM16 7h4v10h-4z",
  waves: "M3 8c3-3 6-3 9 0s6 3 9 0M3 13c3-3 6-3 9 0s6 3 9 0M3 18c3-3 6-3 9 0s6 3 9 0",
  clock: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18M12 7v5l3 2",
  graph:
    "M6 8a2 2 0 1 0 0-4 2 2 0 0 0 0 4M18 14a2 2 0 1 0 0-4 2 2 0 0 0 0 4M6 20a2 2 0 1 0 0-4 2 2 0 0 0 0 4M8 6.5l8 4.5M8 17.5l8-4.5",
  shovel: "M4 12h13M13 7l5 5-5 5M20 5v14",
  link: "M10 14a4 4 0 0 0 6 0l3-3a4 4 0 0 0-6-6l-1 1M14 10a4 4 0 0 0-6 0l-3 3a4 4 0 0 0 6 6l1-1",
  boxes: "M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z",
  users:
    "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7M3 20c0-4 3-6 6-6s6 2 6 6M16 4.5a3.5 3.5 0 0 1 0 6.5M17.5 14.5c2.2.7 3.5 2.7 3.5 5.5",
  shield: "M12 3l8 3v6c0 5-4 8-8 9-4-1-8-4-8-9V6z",
  sliders: "M4 7h9M17 7h3M15 5v4M4 12h3M11 12h9M9 10v4M4 17h9M17 17h3M15 15v4",
  limit: "M5 21V4h12l-2 4 2 4H5",
  file: "M6 3h8l4 4v14H6zM14 3v4h4M9 12h6M9 16h6",
  eye: "M2 12c3-5 6-7 10-7s7 2 10 7c-3 5-6 7-10 7s-7-2-10-7M12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6",
  code: "M8 7l-5 5 5 5M16 7l5 5-5 5M14 4l-4 16",
  sun: "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8M12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.5 1.5M17.5 17.5L19 19M5 19l1.5-1.5M17.5 6.5L19 5",
  moon: "M20 14a8 8 0 1 1-10-10 7 7 0 0 0 10 10",
  screen: "M3 5h18v11H3zM8 20h8M12 16v4",
  menu: "M4 7h16M4 12h16M4 17h16",
  close: "M6 6l12 12M18 6L6 18",
  search: "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14M16 16l5 5",
  refresh: "M20 12a8 8 0 1 1-2.3-5.7M20 3v4h-4",
  chevron: "M9 6l6 6-6 6",
  down: "M6 9l6 6 6-6",
  sidebar: "M4 5h16v14H4zM10 5v14",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13M10 11v6M14 11v6",
  pause: "M8 5v14M16 5v14",
  play: "M7 5l12 7-12 7z",
  broom: "M14 4l-3 8M7 12h9l2 8H5zM9 16v4M13 16v4",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  check: "M5 12l5 5L20 7",
  alert: "M12 4l10 17H2zM12 10v5M12 18h.01",
  info: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18M12 11v6M12 8h.01",
  help: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18M9.5 9.5a2.5 2.5 0 1 1 3.5 2.3c-.7.4-1 .9-1 1.7M12 17h.01",
  columns: "M4 5h16v14H4zM9.5 5v14M15 5v14",
  download: "M12 4v11M7 11l5 5 5-5M5 20h14",
  exit: "M14 4H5v16h9M10 12h11M17 8l4 4-4 4",
  user: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8M4 21c0-4 4-6 8-6s8 2 8 6",
  edit: "M4 20l1-4L16 5l3 3L8 19z",
  move: "M4 12h16M15 7l5 5-5 5",
  send: "M4 12l16-8-6 16-3-7z",
} as const

export type IconName = keyof typeof PATHS

export function Icon({ name, size = 16 }: { name: IconName; size?: number }): JSX.Element {
  return (
    <svg class="icon" width={size} height={size} viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  )
}

/** The mark of the product: a gate that lets water through. */
export function Logo({ size = 26 }: { size?: number }): JSX.Element {
  return (
    <svg class="logo" width={size} height={size} viewBox="0 0 32 32" aria-hidden="true">
      <rect class="logo-ground" width="32" height="32" rx="7" />
      <path class="logo-post" d="M9 6v20M23 6v20" />
      <path class="logo-gate" d="M9 12h14v5H9z" />
      <path class="logo-water" d="M5.5 23c2.2-2.2 4.3-2.2 6.5 0s4.3 2.2 6.5 0 4.3-2.2 8 0" />
    </svg>
  )
}
