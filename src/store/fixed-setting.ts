import type { Queryable } from './checkpoint.ts'

/** A fact that was fixed; null when it was not. */
export async function readSetting(db: Queryable, name: string): Promise<string | null> {
  const { rows } = await db.query<{ value: string }>('select value from fixed_setting where name = $1', [name])
  return rows[0]?.value ?? null
}

/** Fixes a fact at the first start: returns the value that holds, which is another's if that came first. */
export async function fixSetting(db: Queryable, name: string, value: string): Promise<string> {
  await db.query('insert into fixed_setting (name, value) values ($1, $2) on conflict (name) do nothing', [name, value])
  const { rows } = await db.query<{ value: string }>('select value from fixed_setting where name = $1', [name])
  return rows[0]?.value ?? value
}
