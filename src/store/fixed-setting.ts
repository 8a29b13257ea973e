import type { Queryable } from './checkpoint.ts'

/** Fixes a fact at the first start: returns the value that holds, which is another's if that came first. */
export async function fixSetting(db: Queryable, name: string, value: string): Promise<string> {
  await db.query('insert into fixed_setting (name, value) values ($1, $2) on conflict (name) do nothing', [name, value])
  const { rows } = await db.query<{ value: string }>('select value from fixed_setting where name = $1', [name])
  return rows[0]?.value ?? value
}
