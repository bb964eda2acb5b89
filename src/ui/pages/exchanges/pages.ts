/** The pages of exchanges and their picture, loaded together: small files of their own would compress badly. */
export { Topology } from "../topology/topology.tsx"
export { Exchange } from "./exchange.tsx"
export { Exchanges } from "./exchanges.tsx"
