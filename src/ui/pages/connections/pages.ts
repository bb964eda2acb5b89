/** The pages of clients, loaded together: small files of their own would compress badly. */
export { Channel } from "../channels/channel.tsx"
export { Channels } from "../channels/channels.tsx"
export { Consumers } from "../consumers/consumers.tsx"
export { Connection } from "./connection.tsx"
export { Connections } from "./connections.tsx"
