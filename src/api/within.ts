/**
 * What a promise gives, if it does so in time. Nothing ends what it stands for: that goes on, and nobody hears of it.
 * @throws what `late` makes when it takes longer
 */
export async function within<T>(ms: number, promise: Promise<T>, late: () => Error): Promise<T> {
  const { promise: over, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(late()), Math.max(0, ms))
  try {
    return await Promise.race([promise, over])
  } finally {
    clearTimeout(timer)
  }
}
