import { RESOURCE_ID, RESOURCE_ROLE, type Resource } from '#src/events/event.ts'

/** Something that an event's resource belongs to; none when there is no id. */
export function relatedThing(kind: string, id: string | null, name: string | null, role = kind): readonly Resource[] {
  if (id === null) return []
  const resource = { [RESOURCE_ID]: `prefect.${kind}.${id}`, [RESOURCE_ROLE]: role }
  return [name === null ? resource : { ...resource, 'prefect.resource.name': name }]
}
