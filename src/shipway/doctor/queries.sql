-- now --
-- The database's time.
select clock_timestamp() as now

-- newest --
-- How many seconds ahead of the database's time the newest record is.
select extract(epoch from greatest(
    (select max(created) from builds.runs),
    (select max(started) from releases.deployments)
) - clock_timestamp())::float as ahead

-- applied --
-- Which of Shipway's own migrations have run.
select name, checksum from kit.migrations

-- has_workflows --
-- Whether a worker has ever run.
select to_regclass('dbos.workflow_status') is not null as found

-- unfinished --
-- What is on record as unfinished, with the workflow that should be at it. What has just been
-- recorded may not have one yet.
select 'run' as kind, runs.id, runs.app, runs.state,
       extract(epoch from clock_timestamp() - coalesce(runs.started, runs.created))::float / 3600 as hours,
       coalesce(workflows.status, '') as workflow,
       coalesce(workflows.application_version, '') as version
from builds.runs as runs
left join dbos.workflow_status as workflows on workflows.workflow_uuid = runs.id
where runs.state in ('waiting', 'running') and runs.created < clock_timestamp() - interval '1 minute'
union all
select 'deployment', deployments.id, deployments.app, deployments.state,
       extract(epoch from clock_timestamp() - deployments.started)::float / 3600,
       coalesce(workflows.status, ''),
       coalesce(workflows.application_version, '')
from releases.deployments as deployments
left join dbos.workflow_status as workflows on workflows.workflow_uuid = deployments.id
where deployments.state in ('waiting', 'running')
  and deployments.started < clock_timestamp() - interval '1 minute'

-- stranded --
-- Unfinished workflows of another version: nobody resumes them.
select workflow_uuid as id, name, coalesce(application_version, '') as version
from dbos.workflow_status
where status in ('PENDING', 'ENQUEUED', 'DELAYED')
  and coalesce(application_version, %(version)s) <> %(version)s

-- given_up --
-- Notifications that reached nobody in the last week, and why the last one did not.
select count(*) as given_up,
       coalesce((array_agg(deliveries.last_error order by outbox.at desc))[1], '') as last_error
from health.deliveries as deliveries
join health.outbox as outbox on outbox.id = deliveries.notification
where deliveries.state = 'given_up' and outbox.at > clock_timestamp() - interval '7 days'

-- active_runs --
-- Runs whose folders are in use.
select id from builds.runs where state in ('waiting', 'running')

-- apps --
-- Every app that there is.
select name from environments.apps
