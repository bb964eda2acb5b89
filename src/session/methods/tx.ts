import {
  TX_COMMIT,
  TX_ROLLBACK,
  TX_SELECT,
  readTxCommit,
  readTxRollback,
  readTxSelect,
  writeTxCommitOk,
  writeTxRollbackOk,
  writeTxSelectOk,
} from "../../amqp/generated/methods.ts"
import type { AmqpReader } from "../../amqp/reader.ts"
import { Refusal } from "../../broker/errors.ts"
import type { Channel } from "../channel.ts"
import type { Transaction } from "../transaction.ts"
import { refuseMethod } from "./refuse.ts"

/** Class tx (90). commit-ok waits for the disk if a persistent message went to a durable queue. */
export function handleTx(channel: Channel, method: number, reader: AmqpReader): void {
  switch (method) {
    case TX_SELECT:
      readTxSelect(reader)
      if (channel.confirms !== null)
        throw new Refusal("precondition-failed", "cannot switch from confirm to tx mode")
      channel.selectTransaction()
      channel.reply(writeTxSelectOk(channel.id))
      return
    case TX_COMMIT: {
      readTxCommit(reader)
      const scope = transactionOf(channel).commit()
      if (scope === null) channel.reply(writeTxCommitOk(channel.id))
      else channel.reply(writeTxCommitOk(channel.id), true, scope)
      return
    }
    case TX_ROLLBACK:
      readTxRollback(reader)
      transactionOf(channel).discard()
      channel.reply(writeTxRollbackOk(channel.id))
      return
    default:
      throw refuseMethod(method)
  }
}

function transactionOf(channel: Channel): Transaction {
  if (channel.transaction === null)
    throw new Refusal("precondition-failed", "channel is not transactional")
  return channel.transaction
}
