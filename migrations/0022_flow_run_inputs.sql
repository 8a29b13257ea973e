-- What was sent to flow runs: answers to pauses that ask for something, and messages between runs.
-- Runs beside the previous release, which does not look at it. To undo by hand: drop the table named here, delete from
-- projection where name = 'flow-run-input', and delete this file's row from `migration`.

create table flow_run_input (
  id           uuid        not null primary key, -- made of the run's id and the key
  version      int8        not null,
  created      timestamptz not null,
  updated      timestamptz not null,
  flow_run_id  uuid        not null,
  key          text        not null,
  value        text        not null,
  sender       text
);
create index flow_run_input_of_run on flow_run_input (flow_run_id, created);
