import type { Cluster } from '../harness/cluster.ts'

/** How often that is done while runs go on. */
export const ROUNDS = 2

/** Kills a server and a services process, and starts them again. */
export async function strike({ apis, services, random }: Cluster): Promise<void> {
  const victims = [random.pick(apis), random.pick(services)]
  await Promise.all(victims.map((victim) => victim.kill9()))
  await Promise.all(victims.map((victim) => victim.start()))
}
