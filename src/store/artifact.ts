import { Artifact, type ArtifactRow } from '#src/events/artifact.ts'
import { type RowTable, rowTable } from './row-table.ts'

/** Artifacts, as the projection `artifact` keeps them. */
export const artifactTable: RowTable<ArtifactRow> = rowTable('artifact', Artifact.properties)
