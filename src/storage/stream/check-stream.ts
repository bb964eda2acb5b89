import type { CheckReport } from "../check.ts"
import type { Disk } from "../disk.ts"
import { countSoundBytes } from "./offset-log.ts"

/**
 * Verifies what a stream has beside its segments, for the check of a store: the files of offsets are
 * sound, and no segment begins at a lower offset than the one before it ends.
 */
export const FIRST_OFFSETS = "first-offsets"
export const CONSUMER_OFFSETS = "consumer-offsets"

/** `counts` are the messages found in each segment, by its number. */
export function checkStream(
  disk: Disk,
  directory: string,
  counts: ReadonlyMap<number, number>,
  report: CheckReport,
): void {
  checkLog(disk, `${directory}/${CONSUMER_OFFSETS}`, report)
  const path = `${directory}/${FIRST_OFFSETS}`
  const entries = checkLog(disk, path, report)
  let end = 0
  for (const [number, count] of [...counts].toSorted(([a], [b]) => a - b)) {
    const first = entries.get(String(number))
    if (first !== undefined && first < end)
      report.add(path, 0, `segment ${number} begins at ${first}, the one before it ends at ${end}`)
    end = (first ?? end) + count
  }
}

function checkLog(disk: Disk, path: string, report: CheckReport): ReadonlyMap<string, number> {
  const entries = new Map<string, number>()
  const bytes = disk.readFile(path)
  if (bytes === null) return entries
  const sound = countSoundBytes(bytes, (name, offset) => entries.set(name, offset))
  if (sound < bytes.length) report.add(path, sound, `${bytes.length - sound} bytes are no entry`)
  return entries
}
