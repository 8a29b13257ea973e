-- Whether it was looked at what a loss of the persister means for the tables of projections: the recorder may have applied
-- what the log never got. Those from before count as looked at.
-- Runs beside the previous release, which leaves its own to the new one. To undo by hand: alter table loss drop column
-- settled; and delete this file's row from `migration`.

alter table loss add column settled bool not null default true;
alter table loss alter column settled set default false;
