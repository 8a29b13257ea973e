-- How many rows of a rebuilt table were other than the live one's, of those that were compared before the exchange.
-- Runs beside the previous release, which doesn't look at it. To undo by hand: alter table rebuild drop column corrected;
-- and delete this file's row from `migration`.

alter table rebuild add column corrected int8 not null default 0;
