-- make_store --
-- A script of psql. The role owns the database, so that it may run Shipway's own migrations.
select 'create role shipway login'
where not exists (select from pg_roles where rolname = 'shipway') \gexec
select 'create database shipway owner shipway'
where not exists (select from pg_database where datname = 'shipway') \gexec

-- make_cluster --
-- A script of psql, formatted by psycopg. Sets every password and limit anew, so that repeating
-- it mends them. The owner's limits and log settings hold for every library, also for those
-- that know nothing of PGOPTIONS; bound values stay out of the log, for they may be personal, and
-- so do the passwords here, even where a statement fails.
set log_statement = 'none';
set log_min_duration_statement = -1;
set log_min_error_statement = 'panic';
select format('create role %I', name)
from unnest(array['schema_owner', 'server', 'shipway']) as name
where not exists (select from pg_roles where rolname = name) \gexec
alter role shipway login superuser password {shipway_password};
alter role schema_owner login nosuperuser nocreatedb nocreaterole password {schema_owner_password};
alter role server login nosuperuser nocreatedb nocreaterole password {server_password};
alter role schema_owner set application_name = {tag};
alter role schema_owner set lock_timeout = {lock_timeout};
alter role schema_owner set statement_timeout = {statement_timeout};
alter role schema_owner set idle_in_transaction_session_timeout = '60s';
alter role schema_owner set client_connection_check_interval = '2s';
alter role schema_owner set log_min_duration_statement = 0;
alter role schema_owner set deadlock_timeout = '100ms'; -- after which a wait and its cause are logged
alter role schema_owner set log_parameter_max_length = 0;
select 'create extension if not exists pg_stat_statements' -- here, and in nobody's schema
where current_setting('shared_preload_libraries') ~ 'pg_stat_statements' \gexec
select format('create database %I owner schema_owner', {database_text})
where not exists (select from pg_database where datname = {database_text}) \gexec
revoke all on database {database} from public;
grant connect, temporary on database {database} to server;

-- grant_rows --
-- Run inside the app's database: what the owner makes, the server may use.
alter default privileges for role schema_owner grant select, insert, update, delete on tables to server;
alter default privileges for role schema_owner grant usage, select, update on sequences to server;
alter default privileges for role schema_owner grant usage on schemas to server;

-- size --
-- The version without the packager's remarks, and the size for a person to read.
select split_part(current_setting('server_version'), ' ', 1) as version,
       pg_size_pretty(pg_database_size(current_database())) as size

-- take_turn --
-- Waits until no other migrator is at this database, at most ``lock_timeout``.
select pg_advisory_lock(%(lock)s)

-- end_sessions --
-- Ends what a killed migration left on the server, and waits until it is gone.
select pg_terminate_backend(pid, 5000)
from pg_stat_activity
where datname = current_database()
  and pid <> pg_backend_pid()
  and (application_name = %(tag)s or usename = %(role)s)

-- sessions --
-- Who the given server processes are.
select usename as role, application_name as application, state,
       extract(epoch from now() - coalesce(xact_start, backend_start))::float as seconds
from pg_stat_activity
where pid = any(%(pids)s)

-- log_position --
-- The end of the server's log, or nothing when it keeps none.
select file, size as "offset"
from pg_current_logfile('jsonlog') as file, pg_stat_file(file)
where file is not null

-- log_file --
-- The name of the file that the server logs to now.
select pg_current_logfile('jsonlog') as file

-- log_part --
-- A part of the log. A file that has become shorter was begun anew.
select pg_read_binary_file(
    %(file)s,
    case when %(offset)s > size then 0 else %(offset)s end,
    %(length)s
) as part
from pg_stat_file(%(file)s)

-- invalid_indexes --
-- What a `create index concurrently` that failed has left. One of a partitioned table waits for its
-- parts, and is none of those.
select i.indexrelid::regclass::text as name
from pg_index i join pg_class c on c.oid = i.indexrelid
where not i.indisvalid and c.relkind = 'i'

-- mark_restore_point --
-- A name for the moment before a migration, to restore to.
select pg_create_restore_point(%(name)s)

-- begin_migration --
-- A run that was cut off keeps its first ``before``, start and place in the log.
insert into database.migrations (deployment, app, environment, release, before, log_position,
    unfinished)
values (%(deployment)s, %(app)s, %(environment)s, %(release)s, %(before)s, %(log_position)s,
    %(unfinished)s)
on conflict (deployment) do update set
    before = case when migrations.state = 'running' then migrations.before else excluded.before end,
    started = case when migrations.state = 'running' then migrations.started else excluded.started end,
    log_position = case when migrations.state = 'running' then migrations.log_position
                   else excluded.log_position end,
    unfinished = case when migrations.state = 'running' then migrations.unfinished
                 else excluded.unfinished end,
    attempts = case when migrations.state = 'running' then migrations.attempts else 0 end,
    state = 'running',
    ended = null
returning before, started, log_position, unfinished

-- count_attempt --
-- Tells how many attempts there have been, those of a cut-off run included.
update database.migrations set attempts = attempts + 1
where deployment = %(deployment)s
returning attempts

-- end_migration --
-- Keeps how a migration ended.
update database.migrations set
    state = %(state)s, after = %(after)s, statements = %(statements)s, seconds = %(seconds)s,
    sentence = %(sentence)s, ended = now()
where deployment = %(deployment)s

-- succeeded_migration --
-- The report of a migration that is done.
select before, after, statements, attempts, seconds
from database.migrations
where deployment = %(deployment)s and state = 'succeeded'

-- database_port --
-- The port of a database.
select port from database.ports where app = %(app)s and environment = %(environment)s

-- lock_database_ports --
-- Until the transaction ends, nobody else chooses.
lock table database.ports in exclusive mode

-- free_database_ports --
-- Those that no database has, the lowest first.
select port from generate_series(%(first)s::integer, %(last)s::integer) as port
where port not in (select port from database.ports) order by port

-- take_database_port --
-- Gives a port to a database for good.
insert into database.ports (app, environment, port) values (%(app)s, %(environment)s, %(port)s)

-- forget_database_port --
-- Gives it back.
delete from database.ports where app = %(app)s and environment = %(environment)s

-- migrations --
-- What has changed the schema of an environment, the newest first.
select deployment, release, state, before, after, statements, attempts, seconds, sentence,
       started, ended
from database.migrations
where app = %(app)s and environment = %(environment)s and started < %(below)s
order by started desc
limit %(limit)s

-- keep_rehearsal --
-- A rehearsal as it stands now.
insert into database.rehearsals (id, app, environment, release, state, report, at)
values (%(id)s, %(app)s, %(environment)s, %(release)s, %(state)s, %(report)s, %(at)s)
on conflict (id) do update set state = excluded.state, report = excluded.report

-- rehearsal --
-- One rehearsal.
select report from database.rehearsals where id = %(id)s

-- rehearsals --
-- Rehearsals of going up, the newest first.
select report from database.rehearsals
where app = %(app)s and environment = %(environment)s
  and (%(release)s = '' or release = %(release)s) and report ->> 'direction' = 'up'
order by at desc
limit %(limit)s

-- applied --
-- The files of migrations that have run in an environment.
select path, digest, release from database.applied
where app = %(app)s and environment = %(environment)s

-- apply --
-- Keeps what a file was when it ran.
insert into database.applied (app, environment, path, digest, release)
values (%(app)s, %(environment)s, %(path)s, %(digest)s, %(release)s)
on conflict (app, environment, path) do nothing

-- unapply --
-- Files that have not run, or were taken back.
delete from database.applied
where app = %(app)s and environment = %(environment)s and path = any(%(paths)s::text[])
