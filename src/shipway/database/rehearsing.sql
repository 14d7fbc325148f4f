-- keep_pristine --
-- Formatted by psycopg. The copy as it came becomes the template of the one that is worked on.
alter database {database} rename to {pristine}

-- work_copy --
-- Formatted by psycopg.
create database {database} template {pristine} strategy file_copy owner schema_owner

-- let_in --
-- Formatted by psycopg. Who may connect to a database is not copied with it.
revoke all on database {database} from public

-- let_server_in --
-- Formatted by psycopg.
grant connect, temporary on database {database} to server

-- drop_work_copy --
-- Formatted by psycopg.
drop database if exists {database} with (force)

-- watch_changes --
-- What the log shall tell of each change of the schema, from within its transaction: which locks
-- it has by its end, and which tables it writes anew.
create schema shipway_rehearsal;
create function shipway_rehearsal.tell_start() returns event_trigger language plpgsql as $tell$
begin
    raise log 'shipway-saw %', json_build_object('kind', 'start', 'tag', tg_tag);
end $tell$;
create function shipway_rehearsal.tell_end() returns event_trigger language plpgsql as $tell$
begin
    raise log 'shipway-saw %', json_build_object('kind', 'end', 'tag', tg_tag, 'locks', (
        select coalesce(json_agg(distinct jsonb_build_array(
            case n.nspname when 'public' then '' else n.nspname || '.' end || c.relname, l.mode)),
            '[]')
        from pg_catalog.pg_locks l
        join pg_catalog.pg_class c on c.oid = l.relation
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where l.pid = pg_catalog.pg_backend_pid() and l.granted and c.relkind in ('r', 'p', 'm')
          and n.nspname !~ '^(pg_|information_schema$)'));
end $tell$;
create function shipway_rehearsal.tell_rewrite() returns event_trigger language plpgsql as $tell$
begin
    raise log 'shipway-saw %', (
        select json_build_object('kind', 'rewrite', 'table',
            case n.nspname when 'public' then '' else n.nspname || '.' end || c.relname)
        from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where c.oid = pg_catalog.pg_event_trigger_table_rewrite_oid());
end $tell$;
create event trigger shipway_start on ddl_command_start
    execute function shipway_rehearsal.tell_start();
create event trigger shipway_end on ddl_command_end
    execute function shipway_rehearsal.tell_end();
create event trigger shipway_rewrite on table_rewrite
    execute function shipway_rehearsal.tell_rewrite();

-- tables --
-- The tables that are there.
select case n.nspname when 'public' then '' else n.nspname || '.' end || c.relname as name
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'm') and n.nspname !~ '^(pg_|information_schema$)'

-- waits --
-- Who waits for the owner's sessions right now, and since when.
select l.pid, extract(epoch from l.waitstart)::float as since,
       extract(epoch from clock_timestamp())::float as now, a.query,
       coalesce((select case n.nspname when 'public' then '' else n.nspname || '.' end || c.relname
                 from pg_class c join pg_namespace n on n.oid = c.relnamespace
                 where c.oid = l.relation), '') as table
from pg_locks l
join pg_stat_activity a on a.pid = l.pid
where not l.granted and l.waitstart is not null and a.usename <> 'schema_owner'
  and pg_blocking_pids(l.pid) && array(
      select pid from pg_stat_activity where usename = 'schema_owner')

-- size --
-- How large the copy is now.
select pg_database_size(current_database()) as bytes

-- forget_statistics --
-- From here on only what the migration does is counted. In the database that has the extension.
select pg_stat_statements_reset()

-- wal --
-- What the owner's statements have written ahead.
select s.query, sum(s.wal_bytes)::bigint as bytes
from pg_stat_statements s join pg_roles r on r.oid = s.userid
where r.rolname = 'schema_owner' and s.toplevel
group by s.query
