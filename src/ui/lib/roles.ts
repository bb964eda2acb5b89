/** What the tags of a user allow. The same table as the broker's, which decides; here it only hides. */
export type Level = "management" | "monitoring" | "policymaker" | "administrator"

const TAGS: Readonly<Record<Level, readonly string[]>> = {
  management: ["administrator", "monitoring", "policymaker", "management"],
  monitoring: ["administrator", "monitoring"],
  policymaker: ["administrator", "policymaker"],
  administrator: ["administrator"],
}

export function allows(tags: readonly string[], level: Level): boolean {
  return tags.some((tag) => TAGS[level].includes(tag))
}
