-- arrived --
-- Asked of a copy while it replays: has it come to its moment, or to the end of the log?
select pg_is_in_recovery() as recovering,
       case when pg_is_in_recovery() then pg_get_wal_replay_pause_state() = 'paused' end as paused,
       pg_last_wal_replay_lsn() - '0/0'::pg_lsn as replayed,
       pg_last_xact_replay_timestamp() as newest,
       exists (
           select from pg_stat_activity
           where backend_type = 'startup' and wait_event = 'RecoveryRetrieveRetryInterval'
       ) as waiting

-- promote --
-- Opens a copy for writing, on a timeline of its own.
select pg_is_in_recovery() and not pg_promote(true, 300) as failed

-- reload --
-- Has the server read its settings again.
select pg_reload_conf()

-- forget_target --
-- A server that was opened has no use for what its recovery was told.
alter system reset all

-- tables --
-- The tables that belong to the app.
select schemaname as schema, tablename as name
from pg_tables
where schemaname not in ('pg_catalog', 'information_schema')

-- columns --
-- Those of a table that can be written, in their order.
select column_name as name
from information_schema.columns
where table_schema = %(schema)s and table_name = %(table)s and is_generated = 'NEVER'
order by ordinal_position
