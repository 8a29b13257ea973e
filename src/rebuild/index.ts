/**
 * Rebuilding: a projection's table made anew from the log beside the live one, which serves and follows meanwhile, and
 * takes its place at one moment. It promises that the new table has what the log says up to where the live one stood,
 * that nobody ever sees an empty or half table, and that a rebuild that died is gone on with.
 */
export { catchUp, commonPlaces } from './catch-up.ts'
export { groupsOf } from './components.ts'
export { type Held, hold } from './held.ts'
export { cancelRebuilds, finishRebuilds, rollBack } from './manage.ts'
export { findMissing, type Missing } from './missing.ts'
export type { RebuildNeeds, RebuildNews } from './needs.ts'
export { beganBefore } from './prepare.ts'
export { runRebuild } from './run.ts'
export { settleLosses } from './settle-losses.ts'
export { type RebuildStanding, rebuildStandings } from './standings.ts'
export { type Verified, type VerifyOptions, verifyProjections } from './verify.ts'
