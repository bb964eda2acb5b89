import { Refusal } from "../../broker/errors.ts"
import type { Broker } from "../../broker/broker.ts"
import { GLOBAL_COMPONENT } from "../../broker/parameters.ts"
import type { User } from "../../auth/users.ts"
import type { Vhost } from "../../broker/vhost.ts"
import type { LinkEnvironment } from "../link-connection.ts"
import { LinkCounters } from "../link-status.ts"
import type { LinkKind, StartLine } from "../links.ts"
import { isLocalUri, uriList } from "../link-uri.ts"
import { parseUri } from "../../client/uri.ts"
import { Attempts } from "./attempts.ts"
import type { FederationContext, FederationLink } from "./federation-link.ts"
import { checkUpstream, checkUpstreamSet, UPSTREAM, UPSTREAM_SET } from "./upstream.ts"
import { VhostFederation } from "./vhost-federation.ts"

/**
 * Federation of exchanges and queues, for all vhosts of a broker. Which links there are is
 * vhost-federation.ts, what they do exchange-link.ts and queue-link.ts.
 */
export interface FederationOptions {
  readonly broker: Broker
  readonly environment: LinkEnvironment
  readonly startLine: StartLine
}

export class Federation implements LinkKind {
  readonly components = [UPSTREAM, UPSTREAM_SET]
  /** What links have moved that are gone. */
  readonly ended = new LinkCounters()
  readonly #broker: Broker
  readonly #context: FederationContext
  readonly #vhosts = new Map<string, VhostFederation>()

  constructor({ broker, environment, startLine }: FederationOptions) {
    this.#broker = broker
    this.#context = {
      environment,
      attempts: new Attempts(startLine),
      ended: this.ended,
      clusterName: () => this.#clusterName(),
    }
  }

  /** Of one vhost, or all. */
  *links(vhostName: string | null = null): Generator<FederationLink> {
    if (vhostName === null) for (const vhost of this.#vhosts.values()) yield* vhost.links()
    else yield* this.#vhosts.get(vhostName)?.links() ?? []
  }

  validate(vhost: Vhost, component: string, name: string, value: unknown, user: User | null): void {
    if (component === UPSTREAM_SET) {
      checkUpstreamSet(name, value)
      return
    }
    checkUpstream(name, value)
    if (user !== null) this.#checkAccess(vhost, value, user)
  }

  vhostAdded(vhost: Vhost): void {
    const federation = new VhostFederation(vhost, this.#context)
    this.#vhosts.set(vhost.name, federation)
    federation.start()
  }

  async vhostRemoved(vhost: Vhost): Promise<void> {
    const federation = this.#vhosts.get(vhost.name)
    this.#vhosts.delete(vhost.name)
    await federation?.close(true)
  }

  parameterChanged(vhost: Vhost): void {
    this.#vhosts.get(vhost.name)?.parametersChanged()
  }

  tick(nowMs: number): void {
    for (const link of this.links()) link.tick(nowMs)
  }

  async close(): Promise<void> {
    await Promise.all([...this.#vhosts.values()].map((federation) => federation.close(false)))
    this.#vhosts.clear()
  }

  /**
   * An upstream in this very broker is used without a login, with all rights: who sets it up must have
   * them.
   */
  #checkAccess(vhost: Vhost, value: unknown, user: User): void {
    const given = typeof value === "object" && value !== null && "uri" in value ? value.uri : null
    for (const uri of uriList(given) ?? []) {
      if (!isLocalUri(uri) || user.tags.includes("administrator")) continue
      const name = URL.parse(uri)?.pathname === "" ? vhost.name : (parseUri(uri).vhost ?? "/")
      if (hasAllRights(user, name)) continue
      throw new Refusal(
        "access-refused",
        `an upstream in this broker needs all permissions on vhost '${name}': user '${user.name}' has not`,
      )
    }
  }

  /**
   * Names at upstreams depend on it, so it must not change from the first link on, whatever the host is
   * called later.
   */
  #clusterName(): string {
    const { globalParameters, announcedClusterName: name, log } = this.#broker
    if (typeof globalParameters.get(GLOBAL_COMPONENT, "cluster_name")?.value === "string")
      return name
    log.info({ cluster: name }, "the cluster keeps its name, for its federation links")
    globalParameters.set(GLOBAL_COMPONENT, "cluster_name", name).catch((error: unknown) => {
      log.error({ error: String(error) }, "the name of the cluster could not be saved")
    })
    return name
  }
}

function hasAllRights(user: User, vhostName: string): boolean {
  const { configure, write, read } = user.permissions.get(vhostName) ?? {}
  const isLimitedByTopics = (user.topicPermissions.get(vhostName)?.size ?? 0) > 0
  return !isLimitedByTopics && [configure, write, read].every((pattern) => pattern === ".*")
}
