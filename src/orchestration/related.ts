/** What events say that their resource belongs to. */
import { MAX_INDEXED_BYTES } from '#src/events/check.ts'
import { RESOURCE_ID, RESOURCE_ROLE, type Resource } from '#src/events/event.ts'

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it must find
const CONTROL = /[\x00-\x1f\x7f]/g

/** Something that an event's resource belongs to; none when there is no id. */
export function relatedThing(kind: string, id: string | null, name: string | null, role = kind): readonly Resource[] {
  if (id === null) return []
  const resource = { [RESOURCE_ID]: `prefect.${kind}.${id}`, [RESOURCE_ROLE]: role }
  return [name === null ? resource : { ...resource, 'prefect.resource.name': name }]
}

/** Tags as related resources, in the order of their names; those that are too long to be found by are left out. */
export function relatedTags(tags: Iterable<string>): readonly Resource[] {
  return [...new Set(tags)]
    .sort()
    .map((tag) => `prefect.tag.${withoutControl(tag)}`)
    .filter((id) => Buffer.byteLength(id) <= MAX_INDEXED_BYTES)
    .map((id) => ({ [RESOURCE_ID]: id, [RESOURCE_ROLE]: 'tag' }))
}

/** As many as an event may have: it goes without some of its tags rather than not at all. */
export function fittingRelated(related: readonly Resource[], most: number): readonly Resource[] {
  if (related.length <= most) return related
  const isTag = (each: Resource) => each[RESOURCE_ROLE] === 'tag'
  let room = most - related.filter((each) => !isTag(each)).length
  return related.filter((each) => !isTag(each) || room-- > 0).slice(0, most)
}

/** No id may have control characters: each becomes the sign that stands for it, such as `␊`. */
function withoutControl(text: string): string {
  return text.replace(CONTROL, (character) => {
    const code = character.charCodeAt(0)
    return String.fromCharCode(code === 0x7f ? 0x2421 : 0x2400 + code)
  })
}
