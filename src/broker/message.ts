/**
 * The two shapes of a message as sessions and queues pass it on. They are the store's, because what
 * they describe are its bytes; the sessions know them from here.
 */
export {
  ADDED_DELIVERY_COUNT,
  ADDED_NONE,
  ADDED_STREAM_OFFSET,
  IncomingMessage,
  StoredMessage,
} from "../storage/message.ts"
