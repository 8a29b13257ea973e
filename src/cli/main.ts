#!/usr/bin/env node
/** The command line `millrace`. */
import { constants } from 'node:os'
import { processTerminal } from './process-terminal.ts'
import { run } from './program.ts'
import { stopOnSignals } from './stop.ts'

const stop = stopOnSignals((signal) => process.exit(128 + constants.signals[signal]))
const code = await run(process.argv.slice(2), processTerminal(stop))
// Once a stop was asked for, nothing that is left half done may keep the process alive.
if (stop.aborted) process.exit(code)
process.exitCode = code
