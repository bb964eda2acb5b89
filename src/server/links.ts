import { LINK_USER } from "../auth/direct-user.ts"
import type { Broker } from "../broker/broker.ts"
import { AmqpClient } from "../client/client.ts"
import { LocalDialer } from "../client/local-transport.ts"
import type { LocalSession, LocalSocket } from "../client/local-transport.ts"
import { SocketDialer } from "../client/socket-dialer.ts"
import { Federation } from "../links/federation/federation.ts"
import type { LinkEnvironment } from "../links/link-connection.ts"
import type { LinkSet } from "../links/link-set.ts"
import { Links } from "../links/links.ts"
import { MoveJobs } from "../links/move/move-jobs.ts"
import { Shovels } from "../links/shovel/shovels.ts"
import type { Transport } from "../session/transport.ts"

/**
 * Puts the links together: a client whose connections without a host lead into this process, and one
 * object for each kind of link.
 */
export interface LinkSetOptions {
  readonly broker: Broker
  /** As for a socket that was accepted. */
  readonly accept: (transport: Transport) => LocalSession
}

export function createLinks({ broker, accept }: LinkSetOptions): LinkSet {
  const { clock, random, log } = broker
  const dialer = new LocalDialer({
    clock,
    otherwise: new SocketDialer(),
    accept: (socket) => accept(internal(socket)),
  })
  const environment: LinkEnvironment = {
    client: new AmqpClient({ clock, dialer }),
    clock,
    random,
    log,
  }
  const links = new Links(broker)
  const shovels = new Shovels({ broker, environment, startLine: links.startLine })
  const federation = new Federation({ broker, environment, startLine: links.startLine })
  links.use([shovels, federation])
  return { links, shovels, federation, jobs: new MoveJobs(broker) }
}

/** The session takes it for a socket on which somebody has already proved who they are. */
function internal(socket: LocalSocket): Transport {
  return Object.assign(socket, { internalUser: LINK_USER, protocol: "Direct 0-9-1" })
}
