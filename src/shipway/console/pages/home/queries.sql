-- apps --
-- Every app with what production serves and its last run.
select a.name, a.created_by, a.created, d.version, d.since, d.asked_by,
       r.id as run, r.state as run_state, r.started as run_started
from environments.apps a
left join lateral (
    select rel.version, coalesce(d.ended, d.started) as since, d.asked_by
    from releases.deployments d join releases.releases rel on rel.id = d.release
    where d.app = a.name and d.environment = 'production' and d.state = 'live') d on true
left join lateral (
    select id, state, coalesce(started, created) as started from builds.runs
    where app = a.name order by id desc limit 1) r on true
order by a.name
