/** `/admin/storage`: where results go that no flow says otherwise of. Nothing is set: clients keep them as they do by default. */
import { Type } from '@sinclair/typebox'
import type { Api } from '../route.ts'

const Storage = Type.Object({ default_result_storage_block_id: Type.Union([Type.String(), Type.Null()]) })

export function storage(app: Api): void {
  app.get('/admin/storage', { schema: { response: { 200: Storage } } }, async () => ({
    default_result_storage_block_id: null,
  }))
}
