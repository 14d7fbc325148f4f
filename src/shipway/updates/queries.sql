-- add_key --
insert into updates.keys (app, id, certificate, chain, sealed)
values (%(app)s, %(id)s, %(certificate)s, %(chain)s, %(sealed)s)
on conflict (app, id) do nothing;

-- keys --
select * from updates.keys where app = %(app)s order by created, id;

-- retire_key --
update updates.keys set retired = now() where app = %(app)s and id = %(id)s and retired is null;

-- put_fingerprint --
insert into updates.fingerprints (app, platform, hash, sources)
values (%(app)s, %(platform)s, %(hash)s, %(sources)s)
on conflict do nothing;

-- fingerprint --
select sources from updates.fingerprints
 where app = %(app)s and platform = %(platform)s and hash = %(hash)s;

-- add_store_build --
insert into updates.store_builds
    (id, app, platform, version, runtime, fingerprint, embedded, committed, launch, by)
values (%(id)s, %(app)s, %(platform)s, %(version)s, %(runtime)s, %(fingerprint)s, %(embedded)s,
        %(committed)s, %(launch)s, %(by)s)
on conflict (app, platform, version, runtime, embedded) do update
   set fingerprint = coalesce(nullif(excluded.fingerprint, ''), store_builds.fingerprint),
       committed = excluded.committed,
       launch = case when excluded.launch = '' then store_builds.launch else excluded.launch end
returning *;

-- store_builds --
select * from updates.store_builds where app = %(app)s order by created desc, id desc;

-- remove_app --
-- One statement: entries and groups refer to groups.
with entries as (delete from updates.entries where app = %(app)s),
     keys as (delete from updates.keys where app = %(app)s),
     fingerprints as (delete from updates.fingerprints where app = %(app)s),
     builds as (delete from updates.store_builds where app = %(app)s),
     channels as (delete from updates.channels where app = %(app)s),
     patches as (delete from updates.patches where app = %(app)s),
     devices as (delete from updates.devices where app = %(app)s),
     exposures as (delete from updates.exposures where app = %(app)s),
     changes as (delete from updates.changes where app = %(app)s)
delete from updates.groups where app = %(app)s;

-- lock_branch --
-- One change of a branch at a time.
select pg_advisory_xact_lock(hashtextextended('updates ' || %(app)s || '/' || %(branch)s, 0));

-- make_channel --
insert into updates.channels (app, name, branch) values (%(app)s, %(name)s, %(branch)s)
on conflict do nothing;

-- channels --
select * from updates.channels where app = %(app)s order by name;

-- all_channels --
select app, name from updates.channels order by app, name;

-- change_channel --
update updates.channels
   set branch = %(branch)s, paused = %(paused)s, pinned = %(pinned)s, headers = %(headers)s,
       asset_headers = %(asset_headers)s
 where app = %(app)s and name = %(name)s;

-- add_group --
insert into updates.groups
    (id, app, branch, key, kind, release, version, commit, message, author, per_mille, state, source,
     size, sentence)
values (%(id)s, %(app)s, %(branch)s, %(key)s, %(kind)s, %(release)s, %(version)s, %(commit)s,
        %(message)s, %(author)s, %(per_mille)s, %(state)s, %(source)s, %(size)s, %(sentence)s);

-- group --
select * from updates.groups where id = %(id)s;

-- group_of_key --
select * from updates.groups where key = %(key)s;

-- groups --
-- Newest first.
select * from updates.groups
 where app = %(app)s and (%(branch)s::text is null or branch = %(branch)s) and number < %(below)s
 order by number desc
 limit %(limit)s;

-- group_of_release --
-- The latest publish of a release on a branch.
select * from updates.groups
 where app = %(app)s and branch = %(branch)s and release = %(release)s and kind = 'publish'
 order by number desc
 limit 1;

-- set_share --
-- A share only grows: nobody is moved back by it.
update updates.groups
   set per_mille = greatest(per_mille, %(per_mille)s),
       state = case when %(per_mille)s >= 1000 then 'whole' else state end
 where id = %(id)s and state = 'rolling';

-- set_group_state --
-- What was taken back stays so.
update updates.groups set state = %(state)s, sentence = %(sentence)s
 where id = %(id)s and state <> 'reverted' and state <> %(state)s;

-- newest --
-- What a branch offers first, to whomever.
select * from updates.groups
 where app = %(app)s and branch = %(branch)s and state <> 'reverted'
 order by number desc
 limit 1;

-- add_entry --
insert into updates.entries
    (id, "group", app, branch, platform, runtime, kind, created, body, signatures, launch, assets,
     export, fingerprint, size)
values (%(id)s, %(group)s, %(app)s, %(branch)s, %(platform)s, %(runtime)s, %(kind)s, %(created)s,
        %(body)s, %(signatures)s, %(launch)s, %(assets)s, %(export)s, %(fingerprint)s, %(size)s);

-- entry --
select * from updates.entries where id = %(id)s;

-- entries_of_group --
select * from updates.entries where "group" = %(group)s order by platform, runtime;

-- lines --
-- The platforms and runtime versions that a branch has ever offered something to.
select distinct platform, runtime from updates.entries
 where app = %(app)s and branch = %(branch)s
 order by platform, runtime;

-- latest_created --
-- A device may come from any branch.
select max(created) as latest from updates.entries
 where app = %(app)s and platform = %(platform)s and runtime = %(runtime)s;

-- line_before --
-- What a line offered before a group: the newest entry for everybody that was not taken back.
select e.* from updates.entries e join updates.groups g on g.id = e."group"
 where e.app = %(app)s and e.branch = %(branch)s and e.platform = %(platform)s
   and e.runtime = %(runtime)s and g.number < %(number)s and g.state = 'whole'
 order by e.created desc
 limit 1;

-- offered --
-- The newest entries of each line of a branch, up to a pinned group. A paused one reaches nobody
-- new: who runs it knows it, and is offered nothing older.
select * from (
       select e.*, case when g.state = 'paused' then 0 else g.per_mille end as per_mille,
              row_number() over (partition by e.platform, e.runtime order by e.created desc) as age
         from updates.entries e join updates.groups g on g.id = e."group"
        where e.app = %(app)s and e.branch = %(branch)s and g.state <> 'reverted'
          and (%(pinned)s::text is null
               or g.number <= (select number from updates.groups where id = %(pinned)s))
       ) as ranked
 where age <= %(most)s
 order by platform, runtime, created desc;

-- known --
-- When each update was created and what its bundle is, the newest ones.
select id, platform, runtime, branch, created, launch from updates.entries
 where app = %(app)s and kind = 'update'
 order by created desc
 limit %(most)s;

-- unsigned_by --
-- Entries that a new key has not signed yet.
select id, body, signatures from updates.entries
 where app = %(app)s and not signatures ? %(key)s
 order by created desc
 limit %(most)s;

-- sign_entry --
update updates.entries
   set signatures = signatures || jsonb_build_object(%(key)s::text, %(signature)s::text)
 where id = %(id)s;

-- add_change --
insert into updates.changes (id, app, action, arguments, by)
values (%(id)s, %(app)s, %(action)s, %(arguments)s, %(by)s)
returning *;

-- change --
select * from updates.changes where id = %(id)s;

-- note_change --
update updates.changes set about = %(about)s where id = %(id)s and state = 'waiting';

-- end_change --
with ended as (
    update updates.changes set state = %(state)s, sentence = %(sentence)s, about = %(about)s
     where id = %(id)s and state = 'waiting'
    returning id
)
select pg_notify('shipway_update_change', id) from ended;

-- waiting_changes --
select * from updates.changes where state = 'waiting' order by created;

-- watched --
-- Rollouts that have begun and not ended, paused ones too, and what has reached everybody of late.
select * from updates.groups
 where per_mille > 0 and kind <> 'embedded'
   and (state in ('rolling', 'paused') or (state = 'whole' and created > %(since)s))
 order by number;

-- kept_entries --
-- What must stay: the newest of each line, everything younger than the safety time, what a channel
-- is pinned to, and what a copy is of.
select e.id, e.assets, e.launch, e.export, (
           age <= %(most)s or g.created > %(safe)s
           or exists (select 1 from updates.channels c where c.app = e.app and c.pinned = g.id)
       ) as kept
  from (
       select *, row_number() over (partition by app, branch, platform, runtime
                                        order by created desc) as age
         from updates.entries
       ) as e join updates.groups g on g.id = e."group";

-- embedded_launches --
select launch from updates.store_builds where launch <> '';

-- patch_files --
select app, base, target, file, offered from updates.patches where file <> '';

-- drop_patch --
delete from updates.patches where file = %(file)s;
