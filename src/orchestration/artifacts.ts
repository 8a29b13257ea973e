/**
 * Artifacts are made, changed and deleted here, with the events that Prefect's server has of their collections: all
 * artifacts of one key, shown as the one that was made last.
 */
import type { ArtifactRow } from '#src/events/artifact.ts'
import { type Event, RESOURCE_ID, RESOURCE_ROLE, type Resource } from '#src/events/event.ts'
import { artifactTable } from '#src/store/artifact.ts'
import type { Store } from '#src/store/pool.ts'
import { sql } from '#src/store/sql.ts'
import type { Commands } from './commands.ts'
import { derivedId } from './ids.ts'
import { ARTIFACTS } from './records.ts'
import { relatedThing } from './related.ts'

interface Needs {
  readonly commands: Commands
  readonly store: Pick<Store, 'read'>
  readonly now: () => string
}

type Made = ArtifactRow & { readonly key: string }

/** The id of the collection of a key. */
export function collectionId(key: string): string {
  return derivedId('artifact-collection', key)
}

export async function createArtifact(
  needs: Needs,
  fields: Omit<ArtifactRow, 'version' | 'created' | 'updated'>,
): Promise<ArtifactRow> {
  const before = fields.key === null ? null : await latestOf(needs, fields.key)
  const { row } = await needs.commands.record(ARTIFACTS, fields.id, { type: 'create', fields })
  if (row === null) throw new Error('an artifact that is made is there')
  if (isKeyed(row)) await tell(needs, before === null ? 'created' : 'updated', row)
  return row
}

/** The one before it is then shown, where it was the latest of its key. */
export async function deleteArtifact(needs: Needs, artifact: ArtifactRow): Promise<void> {
  const shown = artifact.key === null ? null : await latestOf(needs, artifact.key)
  await needs.commands.record(ARTIFACTS, artifact.id, { type: 'delete' })
  if (!isKeyed(artifact) || shown?.id !== artifact.id) return
  const next = await latestOf(needs, artifact.key)
  await tell(needs, next === null ? 'deleted' : 'updated', next ?? artifact)
}

async function latestOf({ store }: Needs, key: string): Promise<Made | null> {
  const rest = sql.fragment`order by t.created desc, t.id desc limit 1`
  const [latest] = await store.read((tx) => artifactTable.select(tx, sql.fragment`t.key = ${key}`, rest))
  return latest !== undefined && isKeyed(latest) ? latest : null
}

function isKeyed(artifact: ArtifactRow): artifact is Made {
  return artifact.key !== null
}

/** No row is made of it: what it tells of is there by then. */
async function tell({ commands, now }: Needs, what: 'created' | 'updated' | 'deleted', latest: Made): Promise<void> {
  await commands.events([collectionEvent(what, latest, now())])
}

function collectionEvent(what: string, latest: Made, now: string): Event {
  const { id, key, type, data, description, flow_run_id, task_run_id } = latest
  const related: Resource[] = [
    { [RESOURCE_ID]: `prefect.artifact.${id}`, [RESOURCE_ROLE]: 'latest' },
    ...relatedThing('flow-run', flow_run_id, null),
    ...relatedThing('task-run', task_run_id, null),
  ]
  return {
    id: derivedId('artifact-collection-event', what, id, now),
    occurred: now,
    event: `prefect.artifact-collection.${what}`,
    resource: { [RESOURCE_ID]: `prefect.artifact-collection.${collectionId(key)}`, 'prefect.resource.name': key },
    related,
    payload: { key, type, data, description },
    follows: null,
  }
}
