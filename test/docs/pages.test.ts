/** The guides, checked against what they speak of. */
import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { allSettings } from '#src/config.ts'
import { createMetrics } from '#src/metrics.ts'
import { cliPage } from './cli-page.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const read = (file: string) => readFileSync(join(root, file), 'utf8')
const pages = globSync(['*.md', 'docs/**/*.md'], { cwd: root }).sort()

test('docs/cli.md is what the commands say of themselves', () => {
  assert.ok(read('docs/cli.md') === cliPage(), 'out of date: run npx node test/docs/cli-page.ts > docs/cli.md')
})

test('docs/errors.md has every code, and the status with which the API answers it', () => {
  const codes = globSync('src/**/*.ts', { cwd: root })
    .flatMap((file) => [...read(file).matchAll(/extends AppError \{\s+readonly code = '(\w+)'/g)])
    .map((match) => match[1])
  assert.ok(codes.length > 20)
  const rows = [...read('docs/errors.md').matchAll(/^\| `(\w+)` \|(?: (\d{3}) \|)?/gm)]
  assert.deepEqual(rows.map((row) => row[1]).sort(), codes.sort())
  const answered = new Map(
    [...read('src/api/error-handler.ts').matchAll(/^ {2}([A-Z_]+): (\d{3}),/gm)].map((m) => [m[1], m[2]]),
  )
  for (const [, code, status] of rows) assert.equal(status, answered.get(code), code)
})

test('docs/operating.md has every metric, and no other', async () => {
  const { registry } = createMetrics({ defaults: false })
  const names = registry.getMetricsAsArray().map(({ name }) => name)
  const described = [...read('docs/operating.md').matchAll(/^\| `(millrace_\w+)(?:\{([\w,]+)\})?` \|/gm)]
  assert.deepEqual(described.map((row) => row[1]).sort(), names.sort())
})

test('every setting that a page or the container set-up names is one', () => {
  const known = new Set<string>(allSettings.map(({ environment }) => environment))
  for (const file of [...pages, 'compose.yaml', 'Dockerfile', 'docker/nginx.conf']) {
    const named = [...read(file).matchAll(/\bMILLRACE_[A-Z_]*[A-Z]\b(?!_|…)/g)].map(([name]) => name)
    assert.deepEqual(
      named.filter((name) => !known.has(name) && !name.startsWith('MILLRACE_TEST_')), // those are the tests' own
      [],
      file,
    )
  }
})

test('every link between pages leads somewhere', () => {
  for (const file of pages) {
    for (const [, target = ''] of read(file).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue
      const [path = '', anchor] = target.split('#')
      const place = join(dirname(file), path)
      assert.ok(existsSync(join(root, place)), `${file} links to ${target}`)
      if (anchor === undefined) continue
      const headings = [...read(path === '' ? file : place).matchAll(/^#+ (.*)$/gm)].map((match) =>
        slug(match[1] ?? ''),
      )
      assert.ok(headings.includes(anchor), `${file} links to ${target}`)
    }
  }
})

// A blank line within a table makes text of all rows after it.
test('every table has a head, and no gap', () => {
  for (const file of pages) {
    const text = read(file).replaceAll(/^```.*?^```/gms, '')
    for (const [table] of text.matchAll(/(?:^\|.*\n)+/gm))
      assert.match(table.split('\n')[1] ?? '', /^\|(?: *:?-+:? *\|)+$/, `${file}: ${table.slice(0, 100)}`)
  }
})

/** The anchor that a heading gets where pages are usually read. */
function slug(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\w\s-]/g, '')
    .trim()
    .replaceAll(' ', '-')
}
