import { Type } from '@sinclair/typebox'
import { defineProjection, type Projection } from '#src/consumer/projection.ts'

/** The order of a resource's events is the row's content; `deed.gone` removes it, `deed.bad` fails. */
export function deeds(
  version = 1,
  more: { readonly prefix?: string; readonly since?: boolean; readonly failsOn?: string } = {},
): Projection {
  return defineProjection({
    name: 'deed',
    version,
    table: 'deed',
    row: Type.Object({
      resource_id: Type.String(),
      first_seen: Type.String(),
      trail: Type.String(),
      last: Type.Unknown(),
    }),
    keyColumns: ['resource_id'],
    ...(more.since !== false && { since: 'first_seen' as const }),
    key: ({ resourceId }) => resourceId,
    evolve: (on) => [
      on('deed.gone', () => null),
      on(more.failsOn ?? 'deed.bad', () => {
        throw new Error('this deed is bad')
      }),
      on('deed.*', (row, { resourceId, occurred, payload }) => ({
        resource_id: resourceId,
        first_seen: row?.first_seen ?? occurred,
        trail: `${row?.trail ?? more.prefix ?? ''}.${payload['number']}`,
        last: payload,
      })),
    ],
  })
}
