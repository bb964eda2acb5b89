/**
 * The ceiling of the throughput rows: reads what the generator sends and walks the frames. Prints
 * its port; run by bench/run.ts.
 */
import { serveStub } from "./stub-server.ts"

serveStub("count")
