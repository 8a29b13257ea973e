/** The payload of a CloudEvent without data. */
export const NO_DATA = Buffer.from('{}')

const END = Buffer.from('}')

/** A payload must be an object: one that holds any other JSON text under this name. */
export function wrapped(name: 'data' | 'data_base64', json: Buffer | string): Buffer {
  const value = typeof json === 'string' ? Buffer.from(json) : json
  return Buffer.concat([Buffer.from(`{"${name}":`), value, END])
}
