-- live --
-- The live deployment of each environment, with its release.
select d.environment, d.id, d.kind, d.asked_by, d.reason, d.sentence, d.before,
       coalesce(d.ended, d.started) as since, d.watched_until,
       case when d.watched_until > now() then d.watch else '' end as watch,
       r.version, r.number, r.commit, r.schema_head, r.authors
from releases.deployments d join releases.releases r on r.id = d.release
where d.app = %(app)s and d.state = 'live'

-- moving --
-- The newest deployment of each environment: under way, failed or the live one.
select d.environment, d.id, d.kind, d.state, d.stage, d.plan, d.sentence, d.started, d.ended,
       r.version
from unnest(array['staging', 'production']) as known
cross join lateral (
    select * from releases.deployments
    where app = %(app)s and environment = known order by started desc limit 1) d
join releases.releases r on r.id = d.release

-- shares --
-- The part of each deployment in the traffic of an environment, per mille.
select r.environment, split_part(s.pool, '.', 3) as deployment, max(s.per_mille) as per_mille
from edge.routes r join edge.shares s on s.host = r.host
where r.app = %(app)s and s.pool like %(app)s || '.%%' and s.per_mille > 0
group by 1, 2 order by per_mille desc

-- adoption --
-- The newest update of each branch, and how many of the devices of its channel run it.
with newest as (
    select distinct on (branch) id, app, branch, version, state, per_mille
    from updates.groups
    where app = %(app)s and state <> 'reverted' order by branch, number desc
)
select n.branch as environment, n.id, n.version, n.state, n.per_mille,
       (select count(*) from updates.devices d join updates.entries e
            on e.id = d.current and e.app = d.app
        where e."group" = n.id and d.channel = n.branch) as running,
       (select count(*) from updates.devices d
        where d.app = n.app and d.channel = n.branch
          and d.last_at > now() - interval '30 days') as devices
from newest n

-- runs --
select id, branch, commit, kind, state, pushed_by, coalesce(started, created) as started, ended,
       sentence
from builds.runs where app = %(app)s order by id desc limit 8

-- deployments --
select d.id, d.environment, r.version, d.kind, d.state, d.asked_by, d.reason, d.sentence, d.started,
       d.ended
from releases.deployments d join releases.releases r on r.id = d.release
where d.app = %(app)s order by d.id desc limit 8
