-- lock_pushes --
-- One recorder of pushes of an app at a time.
select pg_advisory_xact_lock(hashtextextended('builds.pushes ' || %(app)s, 0));

-- branches --
-- Where each branch of an app was at its last recorded push.
select distinct on (branch) branch, commit
  from builds.pushes
 where app = %(app)s
 order by branch, number desc;

-- add_push --
insert into builds.pushes (app, number, branch, before, commit, by)
select %(app)s, coalesce(max(number), 0) + 1, %(branch)s, %(before)s, %(commit)s, %(by)s
  from builds.pushes
 where app = %(app)s
returning *;

-- push --
select * from builds.pushes where app = %(app)s and number = %(number)s;

-- add_run --
-- The same push again changes nothing.
insert into builds.runs (id, app, branch, commit, push, kind, pushed_by)
values (%(id)s, %(app)s, %(branch)s, %(commit)s, %(push)s, %(kind)s, %(by)s)
on conflict (app, branch, commit, push) do nothing;

-- run_of_push --
select * from builds.runs
 where app = %(app)s and branch = %(branch)s and commit = %(commit)s and push = %(push)s;

-- run_again --
-- The run of the same commit that came after one.
select * from builds.runs
 where app = %(app)s and branch = %(branch)s and commit = %(commit)s and id > %(run)s
 order by id limit 1;

-- run --
select * from builds.runs where id = %(id)s;

-- cancelled --
select id from builds.runs where id = any(%(runs)s) and state = 'cancelled';

-- runs --
-- Newest first; `before` is the id of the last one of the page before.
select * from builds.runs
 where app = %(app)s and (%(before)s::text is null or id < %(before)s)
 order by id desc
 limit %(limit)s;

-- pushers --
-- Identifiers of runs grow with time.
select distinct pushed_by from builds.runs
 where app = %(app)s and branch = any (%(branches)s::text[]) and id > %(since)s
   and pushed_by <> '';

-- last_runs --
-- The newest run of each of these apps.
select newest.*
  from unnest(%(apps)s::text[]) as known (app),
       lateral (select * from builds.runs where runs.app = known.app order by id desc limit 1) newest;

-- set_run --
-- A run that has ended stays as it is.
update builds.runs
   set state = %(state)s,
       sentence = %(sentence)s,
       started = case when %(state)s = 'running' then coalesce(started, now()) else started end,
       ended = case when %(final)s then now() end
 where id = %(id)s
   and state in ('waiting', 'running');

-- steps --
select * from builds.steps where run = %(run)s order by position;

-- step --
select * from builds.steps where run = %(run)s and name = %(name)s;

-- next_layer --
-- The layer behind every other step.
select coalesce(max(layer) + 1, 0) as layer from builds.steps
 where run = %(run)s and name <> all(%(names)s);

-- add_step --
insert into builds.steps (run, name, state, layer)
values (%(run)s, %(name)s, 'waiting', %(layer)s)
on conflict (run, name) do nothing;

-- start_step --
insert into builds.steps (run, name, state, started, key)
values (%(run)s, %(name)s, 'running', now(), %(key)s)
on conflict (run, name) do update
   set state = 'running', started = now(), ended = null, key = excluded.key, sentence = '';

-- end_step --
update builds.steps
   set state = %(state)s, cached = %(cached)s, ended = now(), sentence = %(sentence)s,
       facts = %(facts)s
 where run = %(run)s and name = %(name)s;

-- end_steps --
-- Closes the steps that a run leaves behind when it ends.
update builds.steps
   set state = 'cancelled', ended = now(), sentence = %(sentence)s
 where run = %(run)s and state in ('waiting', 'running');

-- notify --
select pg_notify('shipway_run', %(run)s);

-- result --
-- A run of the main branch takes only what its own kind has made.
update builds.results
   set used = now()
 where app = %(app)s and key = %(key)s
   and trusted = (
       select bool_or(trusted) from builds.results
        where app = %(app)s and key = %(key)s and (trusted or not %(trusted)s)
   )
returning *;

-- keep_result --
insert into builds.results
    (app, key, trusted, step, run, artifacts, facts, seconds, folder, trees)
values (%(app)s, %(key)s, %(trusted)s, %(step)s, %(run)s, %(artifacts)s, %(facts)s,
        %(seconds)s, %(folder)s, %(trees)s)
on conflict (app, key, trusted) do update
   set step = excluded.step, run = excluded.run, artifacts = excluded.artifacts,
       facts = excluded.facts, seconds = excluded.seconds, folder = excluded.folder,
       trees = excluded.trees, made = now(), used = now();

-- stale_folders --
-- Installed dependencies that newer ones have replaced and that nobody has used for an hour.
select key, trusted, folder
  from (
       select key, trusted, folder, used,
              row_number() over (partition by step, trusted order by used desc) as age
         from builds.results
        where app = %(app)s and folder <> ''
       ) as ranked
 where age > %(keep)s and used < now() - interval '1 hour';

-- forget_result --
delete from builds.results
 where app = %(app)s and key = %(key)s and trusted = %(trusted)s;

-- add_artifact --
insert into builds.artifacts (run, name, digest, kind, size, commit, provenance)
values (%(run)s, %(name)s, %(digest)s, %(kind)s, %(size)s, %(commit)s, %(provenance)s)
on conflict (run, name) do update
   set digest = excluded.digest, kind = excluded.kind, size = excluded.size,
       provenance = excluded.provenance, removed = null;

-- artifacts --
select run, name, digest, kind, size, commit, provenance
  from builds.artifacts
 where run = %(run)s
 order by name;

-- artifact --
-- The first making of these bytes.
select run, name, digest, kind, size, commit, provenance
  from builds.artifacts
 where digest = %(digest)s
 order by made
 limit 1;

-- begin_pass --
-- Housekeeping was asked for. A second call changes nothing.
insert into builds.housekeeping (id, by, dry_run) values (%(id)s, %(by)s, %(dry_run)s)
on conflict (id) do nothing;

-- pass --
select * from builds.housekeeping where id = %(id)s;

-- passes --
select * from builds.housekeeping where not dry_run order by at desc limit %(limit)s;

-- open_passes --
select * from builds.housekeeping where ended is null order by at;

-- last_pass --
select ended from builds.housekeeping where ended is not null and not dry_run
 order by at desc limit 1;

-- end_pass --
update builds.housekeeping
   set ended = %(now)s, sentence = %(sentence)s, removals = %(removals)s
 where id = %(id)s and ended is null;

-- made_artifacts --
-- Every artifact once, with the runs that have made it.
select digest, max(size) as size, array_agg(distinct run) as runs, max(made) as made
  from builds.artifacts
 where removed is null
 group by digest;

-- active_runs --
select id from builds.runs where state in ('waiting', 'running');

-- used_digests --
-- What answers for steps that were asked for since then.
select distinct value as digest
  from builds.results, jsonb_each_text(artifacts)
 where used >= %(since)s;

-- installs --
select folder, max(used) as used from builds.results
 where app = %(app)s and folder <> '' group by folder;

-- forget_install --
delete from builds.results where app = %(app)s and folder = %(folder)s;

-- forget_unused --
delete from builds.results where folder = '' and used < %(before)s;

-- mark_removed --
update builds.artifacts set removed = now() where digest = any (%(digests)s::text[]);
