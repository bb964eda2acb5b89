/**
 * The ceiling of the ping rows: sends every chunk back as it came. Prints its port; run by
 * bench/run.ts.
 */
import { serveStub } from "./stub-server.ts"

serveStub("echo")
