-- add_release --
-- Record a release. A second call for the same run changes nothing.
insert into releases.releases
    (id, app, number, version, commit, run, schema_head, artifacts, product, changelog, authors,
     branch, state)
values (%(id)s, %(app)s, %(number)s, %(version)s, %(commit)s, %(run)s, %(schema_head)s,
        %(artifacts)s, %(product)s, %(changelog)s, %(authors)s,
        %(branch)s, 'candidate')
on conflict (run) do nothing

-- lock_numbers --
-- Until the end of the transaction nobody else takes a number of the app. A statement of its own:
-- one that waited for the lock would count what was there before it waited.
select pg_advisory_xact_lock(hashtext('release:' || %(app)s))

-- next_number --
-- The number of the app's next release.
select coalesce(max(number), 0) + 1 as number from releases.releases where app = %(app)s

-- release_of_run --
-- The release that a run made.
select * from releases.releases where run = %(run)s

-- release_of_commit --
-- The newest release of a commit.
select * from releases.releases where app = %(app)s and commit = %(commit)s
order by number desc limit 1

-- release --
-- A release by its identifier, or by version within an app.
select * from releases.releases where id = %(name)s or (app = %(app)s and version = %(name)s)

-- releases --
-- The releases of an app below a number, newest first.
select * from releases.releases where app = %(app)s and number < %(below)s
order by number desc limit %(limit)s

-- set_release_state --
-- A release became ready, or was refused.
update releases.releases set state = %(state)s where id = %(id)s

-- expire --
-- Releases whose artifacts are gone.
update releases.releases set expired = now()
where expired is null and exists (
    select from jsonb_each_text(artifacts) a where a.value = any (%(digests)s::text[]))

-- set_schema_head --
-- Where a release's migrations have brought the schema.
update releases.releases set schema_head = %(schema_head)s where id = %(id)s

-- add_deployment --
-- Record that a deployment was asked for. A second call changes nothing.
insert into releases.deployments
    (id, app, environment, release, kind, state, asked_by, reason, served_by, before, plan, watch)
values (%(id)s, %(app)s, %(environment)s, %(release)s, %(kind)s, 'waiting', %(asked_by)s,
        %(reason)s, %(served_by)s, %(before)s, %(plan)s, %(watch)s)
on conflict (id) do nothing

-- deployment --
-- One deployment.
select d.*, r.version from releases.deployments d join releases.releases r on r.id = d.release
where d.id = %(id)s

-- deployments --
-- The deployments of an environment, or of all of an app, newest first.
select d.*, r.version from releases.deployments d join releases.releases r on r.id = d.release
where d.app = %(app)s and (%(environment)s = '' or d.environment = %(environment)s)
  and (%(release)s = '' or d.release = %(release)s)
  and (%(states)s::text[] is null or d.state = any (%(states)s::text[]))
  and d.id < %(below)s
order by d.id desc limit %(limit)s

-- newest --
-- The newest deployment of each of these places, and the live one where that is another.
select found.*, r.version
from unnest(%(apps)s::text[], %(environments)s::text[]) as place (app, environment),
    lateral (
        (select * from releases.deployments d
         where d.app = place.app and d.environment = place.environment
         order by d.id desc limit 1)
        union
        (select * from releases.deployments d
         where d.app = place.app and d.environment = place.environment and d.state = 'live')
    ) found
    join releases.releases r on r.id = found.release
order by found.id desc

-- live --
-- The live deployment of an environment.
select d.*, r.version from releases.deployments d join releases.releases r on r.id = d.release
where d.app = %(app)s and d.environment = %(environment)s and d.state = 'live'

-- cooled --
-- Warm deployments whose time is over, and those that another has replaced.
select d.*, r.version from releases.deployments d join releases.releases r on r.id = d.release
where d.state in ('warm', 'rolled_back') and d.warm_until <= %(now)s
order by d.id

-- withdraw --
-- A deployment that is not live yet shall not become so. The first reason stays.
update releases.deployments
set withdrawn = case when withdrawn = '' then %(why)s else withdrawn end
where id = %(id)s and state in ('waiting', 'running')

-- withdrawn --
-- Those of these that are withdrawn, and not at their end.
select id from releases.deployments
where id = any (%(ids)s::text[]) and withdrawn <> '' and state in ('waiting', 'running')

-- enter --
-- A deployment becomes the live one, unless it was withdrawn before this moment.
update releases.deployments
set state = 'live', sentence = %(sentence)s, ended = coalesce(ended, now()), warm_until = null
where id = %(id)s and withdrawn = ''

-- watch --
-- A deployment that has just become live is watched closely.
update releases.deployments set watched_until = %(until)s where id = %(id)s

-- watched --
-- What is live and watched closely.
select d.*, r.version from releases.deployments d join releases.releases r on r.id = d.release
where d.state = 'live' and d.watched_until > %(now)s
order by d.id

-- begin --
-- A deployment begins, or begins again: what serves it and what is before it are known now.
update releases.deployments
set state = 'running', served_by = %(served_by)s, before = %(before)s
where id = %(id)s and state in ('waiting', 'running')

-- set_stage --
-- A rollout has come so far.
update releases.deployments set stage = %(stage)s where id = %(id)s

-- leave_live --
-- The live deployment, unless it is this one, makes way; it stays warm until a moment.
update releases.deployments
set state = %(state)s, warm_until = %(warm_until)s, sentence = %(sentence)s
where app = %(app)s and environment = %(environment)s and state = 'live' and id <> %(id)s

-- cool_others --
-- Only the deployment that leaves now is kept warm; those before it may go.
update releases.deployments set warm_until = now()
where app = %(app)s and environment = %(environment)s and id <> %(id)s
  and state in ('warm', 'rolled_back') and warm_until > now()

-- hold --
-- A rollback takes a warm deployment: it cools no earlier than then. Nothing when it has cooled.
update releases.deployments set warm_until = greatest(warm_until, %(until)s)
where id = %(id)s and state in ('warm', 'rolled_back') and warm_until > %(now)s

-- come_back --
-- Warm deployments whose instances serve a rollback no longer cool: those are in service.
update releases.deployments set state = 'retired', warm_until = null
where served_by = %(served_by)s and id <> %(id)s and state in ('warm', 'rolled_back')

-- end_deployment --
-- A deployment has come to an end, with a sentence.
update releases.deployments
set state = %(state)s, sentence = %(sentence)s, ended = coalesce(ended, now()), warm_until = null
where id = %(id)s

-- add_gate --
-- A gate was judged. Only a judgement that differs from the last one is added.
insert into releases.gates (release, environment, name, open, sentence, evidence)
select %(release)s, %(environment)s, %(name)s, %(open)s, %(sentence)s, %(evidence)s
where not exists (
    select from (
        select open, sentence from releases.gates
        where release = %(release)s and environment = %(environment)s and name = %(name)s
        order by id desc limit 1
    ) last where last.open = %(open)s and last.sentence = %(sentence)s)

-- gates --
-- The latest judgement of each gate of a release.
select distinct on (environment, name) * from releases.gates
where release = %(release)s order by environment, name, id desc

-- add_event --
-- Something happened. The same key again changes nothing.
insert into releases.events (key, app, subject, sentence, evidence)
values (%(key)s, %(app)s, %(subject)s, %(sentence)s, %(evidence)s)
on conflict (key) do nothing

-- events --
-- What happened to a release or deployment, oldest first.
select * from releases.events where subject = %(subject)s order by id
