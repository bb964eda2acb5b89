/** What the bundler makes of JSX; it puts this into every file that has some. */
export { Fragment, h } from "preact"
