import { VhostPermissions } from "./permissions.ts"
import type { User } from "./users.ts"

/**
 * Who acts over the control socket: a hidden administrator, who needs no password because only who may
 * open the file gets there. Not in the list of users, cannot be created, and no login leads to it.
 */
export const DIRECT_USER_NAME = "__direct"

const ALL = new VhostPermissions({ configure: ".*", write: ".*", read: ".*" })

/** All permissions on every vhost, whatever it is called. Nothing walks over them. */
class EveryVhost extends Map<string, VhostPermissions> {
  override has(): boolean {
    return true
  }

  override get(): VhostPermissions {
    return ALL
  }
}

export const DIRECT_USER: User = {
  name: DIRECT_USER_NAME,
  tags: ["administrator"],
  permissions: new EveryVhost(),
  topicPermissions: new Map(),
  passwordHash: "",
  hashingAlgorithm: null,
  isDeleted: false,
}

/** As which links of this broker act on itself: also for messages that carry the names of their users. */
export const LINK_USER: User = { ...DIRECT_USER, tags: ["administrator", "impersonator"] }
