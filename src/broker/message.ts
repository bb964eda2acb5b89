/**
 * The two shapes of a message as sessions and queues pass it on. They are the store's, because what
 * they describe are its bytes; the sessions know them from here.
 */
export { IncomingMessage, StoredMessage } from "../storage/message.ts"
