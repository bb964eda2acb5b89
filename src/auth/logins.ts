import type { Clock } from "../util/clock.ts"
import type { Logger } from "../util/logger.ts"
import { LoginThrottle } from "./throttle.ts"
import type { User, UserStore } from "./users.ts"

/**
 * The one way in for name and password, whatever the protocol: compares (users.ts), slows guessing down
 * (throttle.ts), counts, and logs what was refused. Never logs a password.
 */
export type LoginProtocol = "amqp" | "http"

export interface LoginAttempt {
  readonly protocol: LoginProtocol
  readonly name: string
  readonly password: string
  /** Null for a Unix socket. */
  readonly address: string | null
  /** For the log: the connection's name, or the address. */
  readonly from: string
  /** It may be from elsewhere although the address is local: who may log in locally only is refused. */
  readonly isDoubtful?: boolean
}

/** Stands for an address that is not of this machine. */
const ELSEWHERE = ""

/** Since the start. Plain fields, for the metrics. */
export interface AttemptCounts {
  succeeded: number
  /** Of these, `throttled` were refused without a look at the password. */
  failed: number
  throttled: number
}

/** Null for every reason to refuse alike; "too-many" if the password was not even compared. */
export type LoginResult = User | null | "too-many"

/** Failures of one address in a row that are logged one by one; after that the 10th, 20th … 100th, 200th … */
const LOGGED_FAILURES = 5

export class Logins {
  readonly attempts: Readonly<Record<LoginProtocol, AttemptCounts>> = {
    amqp: { succeeded: 0, failed: 0, throttled: 0 },
    http: { succeeded: 0, failed: 0, throttled: 0 },
  }
  readonly throttle: LoginThrottle
  readonly #users: UserStore
  readonly #log: Logger

  constructor(users: UserStore, clock: Clock, log: Logger) {
    this.#users = users
    this.#log = log
    this.throttle = new LoginThrottle(clock)
  }

  /** A promise only if the answer takes its time: a bcrypt hash, or a refusal that is delayed. Never rejects. */
  login(attempt: LoginAttempt): LoginResult | Promise<LoginResult> {
    const { name, password, address, isDoubtful = false } = attempt
    if (!this.throttle.mayTry(address, name)) return this.#tooMany(attempt)
    const answer = this.#users.authenticate(name, password, isDoubtful ? ELSEWHERE : address)
    return answer instanceof Promise ? this.#await(attempt, answer) : this.#settle(attempt, answer)
  }

  /** By a certificate that was verified: nothing is guessed, so nothing is slowed down before. */
  loginByName(attempt: Omit<LoginAttempt, "password">): User | null | Promise<null> {
    return this.#settle(attempt, this.#users.authenticateByName(attempt.name, attempt.address))
  }

  async #await(attempt: LoginAttempt, answer: Promise<User | null>): Promise<LoginResult> {
    let user: User | null
    try {
      user = await answer
    } catch (error) {
      return this.#notCompared(attempt, error)
    }
    return this.#settle(attempt, user)
  }

  #settle(attempt: Omit<LoginAttempt, "password">, user: User | null): User | null | Promise<null> {
    if (user === null) return this.refuse(attempt)
    this.attempts[attempt.protocol].succeeded++
    return user
  }

  /** Also for credentials that do not even have the form of their mechanism. */
  refuse(attempt: Omit<LoginAttempt, "password">): null | Promise<null> {
    const { protocol, name, address } = attempt
    this.attempts[protocol].failed++
    const count = this.throttle.fail(address, name)
    this.#logFailure(attempt, count)
    const delay = this.throttle.delay(address, name)
    return delay === null ? null : delay.then(() => null)
  }

  #notCompared(attempt: LoginAttempt, error: unknown): null {
    const { protocol, name, address } = attempt
    this.attempts[protocol].failed++
    const count = this.throttle.fail(address, name)
    if (isLogged(count))
      this.#log.error(
        { ...fieldsOf(attempt), failures: count, err: error },
        "a password could not be compared, so the login is refused",
      )
    return null
  }

  #tooMany(attempt: LoginAttempt): "too-many" {
    const { protocol, name, address } = attempt
    const counts = this.attempts[protocol]
    counts.failed++
    counts.throttled++
    this.#logFailure(attempt, this.throttle.fail(address, name))
    return "too-many"
  }

  #logFailure(attempt: Omit<LoginAttempt, "password">, count: number): void {
    if (!isLogged(count)) return
    this.#log.warn(
      { ...fieldsOf(attempt), failures: count },
      count > LOGGED_FAILURES ? "logins are refused again and again" : "login refused",
    )
  }
}

/** In the words of the log: an AMQP connection has a name, a request an address. */
function fieldsOf({ protocol, name, from }: Omit<LoginAttempt, "password">): object {
  const user = name.slice(0, 255)
  return protocol === "amqp" ? { protocol, connection: from, user } : { protocol, from, user }
}

function isLogged(count: number): boolean {
  return (
    count <= LOGGED_FAILURES || (count % 10 ** Math.floor(Math.log10(count)) === 0 && count >= 10)
  )
}
