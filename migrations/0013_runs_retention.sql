-- Retention of runs and of the ledger of ticks: how far deletions of runs have been followed up, and how old ticks are found.
-- Runs beside the previous release, which does not look at them. To undo by hand: drop table followed_up; drop index
-- tick_by_time; and delete this file's row from `migration`.

-- How far those who look through the events of a name have come, in the order in which these occurred.
create table followed_up (
  name      text        not null primary key,
  occurred  timestamptz not null,
  id        uuid        not null
);

-- Ticks come in the order of their time, so an index of a few kilobytes finds the old ones, and costs the tick nothing.
create index tick_by_time on tick using brin (scheduled_for) with (pages_per_range = 32);
