-- ask_operation --
-- Records what was asked for, once for each id.
insert into database.operations (id, app, environment, kind, arguments, by)
values (%(id)s, %(app)s, %(environment)s, %(kind)s, %(arguments)s, %(by)s)
on conflict (id) do nothing

-- operation --
-- One of them.
select id, app, environment, kind, arguments, by, state, sentence, results, created, ended
from database.operations where id = %(id)s

-- operations --
-- The newest of an environment.
select id, app, environment, kind, arguments, by, state, sentence, results, created, ended
from database.operations
where app = %(app)s and environment = %(environment)s
order by created desc, id desc limit %(limit)s

-- waiting_operations --
-- Those that may have been recorded without being started.
select id, app, environment, kind, arguments, by, state, sentence, results, created, ended
from database.operations where ended is null order by created

-- begin_operation --
-- Marks it as begun.
update database.operations set state = 'running' where id = %(id)s and ended is null

-- say_of_operation --
-- Keeps how far it has come.
update database.operations set sentence = %(sentence)s where id = %(id)s and ended is null

-- end_operation --
-- Keeps how it ended.
update database.operations
set state = %(state)s, sentence = %(sentence)s, results = %(results)s, ended = %(now)s
where id = %(id)s and ended is null

-- first_operation --
-- When an environment began to be backed up.
select min(created) as since from database.operations
where app = %(app)s and environment = %(environment)s

-- forget_backups --
-- Makes room for what a repository tells now.
delete from database.backups
where app = %(app)s and environment = %(environment)s and repository = %(repository)s

-- keep_backup --
-- One of a repository's backups.
insert into database.backups (app, environment, repository, label, kind, began, ended, first, last,
    size, stored, prior, broken)
values (%(app)s, %(environment)s, %(repository)s, %(label)s, %(kind)s, %(began)s, %(ended)s,
    %(first)s, %(last)s, %(size)s, %(stored)s, %(prior)s, %(broken)s)

-- backups --
-- Those of an environment, the oldest first.
select repository, label, kind, began, ended, first, last, size, stored, prior, broken
from database.backups
where app = %(app)s and environment = %(environment)s
order by repository, label

-- keep_reach --
-- What a repository can bring back.
insert into database.archives (app, environment, repository, reach, good, sentence, looked)
values (%(app)s, %(environment)s, %(repository)s, %(reach)s, %(good)s, %(sentence)s, %(now)s)
on conflict (app, environment, repository) do update set
    reach = excluded.reach, good = excluded.good, sentence = excluded.sentence,
    looked = excluded.looked

-- keep_verification --
-- What its checksums say.
update database.archives
set verified = %(now)s, intact = %(intact)s, complaints = %(complaints)s
where app = %(app)s and environment = %(environment)s and repository = %(repository)s

-- archives --
-- What every repository of an environment can bring back.
select repository, reach, good, sentence, looked, verified, intact, complaints, exported
from database.archives
where app = %(app)s and environment = %(environment)s
order by repository

-- mark_exported --
-- Somebody has the keys now.
update database.archives set exported = %(now)s
where app = %(app)s and environment = %(environment)s

-- keep_archiver --
-- What the live server told of its archiving.
insert into database.archivers (app, environment, "on", last, last_at, failed, failed_at, looked)
values (%(app)s, %(environment)s, %(on)s, %(last)s, %(last_at)s, %(failed)s, %(failed_at)s, %(now)s)
on conflict (app, environment) do update set
    "on" = excluded."on", last = excluded.last, last_at = excluded.last_at,
    failed = excluded.failed, failed_at = excluded.failed_at, looked = excluded.looked

-- archiver --
-- What it told last.
select "on", last, last_at, failed, failed_at
from database.archivers where app = %(app)s and environment = %(environment)s

-- set_place --
-- The bucket besides the folder.
insert into database.places (app, environment, endpoint, bucket, path, region, key_id, secret, ca)
values (%(app)s, %(environment)s, %(endpoint)s, %(bucket)s, %(path)s, %(region)s, %(key_id)s,
    %(secret)s, %(ca)s)
on conflict (app, environment) do update set
    endpoint = excluded.endpoint, bucket = excluded.bucket, path = excluded.path,
    region = excluded.region, key_id = excluded.key_id, secret = excluded.secret, ca = excluded.ca

-- place --
-- The bucket besides the folder, where there is one.
select endpoint, bucket, path, region, key_id, secret, ca
from database.places where app = %(app)s and environment = %(environment)s

-- ask_archiver --
-- Asked of the live server itself.
select current_setting('archive_mode') <> 'off' as "on", coalesce(last_archived_wal, '') as last,
       last_archived_time as last_at, failed_count as failed, last_failed_time as failed_at
from pg_stat_archiver

-- beat --
-- Asked of the live server itself: a transaction that changes nothing, and has a time.
select pg_logical_emit_message(true, 'shipway', 'beat')

-- reload --
-- Asked of the live server itself.
select pg_reload_conf()

-- switch --
-- Asked of the live server: has all that was written archived soon, and tells in which segment it
-- is. The log ends where the transaction before it has ended.
select pg_walfile_name(pg_switch_wal()) as segment

-- last_archived --
-- Asked of the live server.
select left(coalesce(last_archived_wal, ''), 24) >= %(segment)s as done from pg_stat_archiver
