/**
 * Makes `dist/`, which is what the npm package holds: Node takes the types off TypeScript by itself, but not in
 * `node_modules`. Nothing is bundled or moved: each file is the one in the repository without its types, at the same
 * lines and columns, with its declarations beside it.
 */
import { execFileSync } from 'node:child_process'
import { cpSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const dist = join(root, 'dist')
/** The end of an imported file's name, where the file is ours. */
const OURS = /(?<=(?:from|import|import\()\s*)(['"])((?:\.{1,2}|#src|#projections)\/[^'"]*)\.ts\1/g

rmSync(dist, { recursive: true, force: true })
execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json'], {
  cwd: root,
  stdio: 'inherit',
})
for (const file of globSync('**/*.d.ts', { cwd: dist })) rewrite(join(dist, file), (text) => text)
for (const file of globSync(['src/**/*.ts', 'projections/*.ts'], { cwd: root })) {
  const to = join(dist, file.replace(/\.ts$/, '.js'))
  mkdirSync(dirname(to), { recursive: true })
  cpSync(join(root, file), to)
  rewrite(to, (text) => stripTypeScriptTypes(text))
}
for (const file of globSync(['src/**/*.lua', 'migrations/*.sql'], { cwd: root }))
  cpSync(join(root, file), join(dist, file))
const { name, version, description, license, type, imports } = JSON.parse(
  readFileSync(join(root, 'package.json'), 'utf8'),
)
writeFileSync(
  join(dist, 'package.json'), // the nearest to the files, so that `#src/…` leads to them
  JSON.stringify({ name, version, description, license, type, imports, private: true }, null, 2),
)

function rewrite(file: string, change: (text: string) => string): void {
  writeFileSync(file, change(readFileSync(file, 'utf8')).replace(OURS, '$1$2.js$1'))
}
