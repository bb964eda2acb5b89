/**
 * For tests that something costs no more than it should: what other programs do with the machine
 * meanwhile does not count, all threads of this process do.
 */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}
