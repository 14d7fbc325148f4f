-- updates --
-- A page of updates with their adoption, newest first.
with page as (
    select * from updates.groups
    where app = %(app)s and number < %(below)s and (%(branch)s = '' or branch = %(branch)s)
      and (%(since)s::timestamptz is null or created >= %(since)s)
      and (%(until)s::timestamptz is null or created < %(until)s)
    order by number desc limit %(limit)s
), of_entries as (
    select e."group",
           count(x.offered) as offered, count(x.downloaded) as downloaded,
           count(x.launched) as launched, count(x.failed) as failed
    from updates.entries e
    join updates.exposures x on x.app = e.app and x.update_id = e.id
    where e."group" in (select id from page) group by 1
), saved as (
    select e."group", sum(p.hits * (p.full_size - p.size)) as saved, sum(p.hits) as hits
    from updates.entries e
    join updates.patches p on p.app = e.app and p.target = e.launch and p.offered
    where e."group" in (select id from page) and e.launch <> '' group by 1
)
select p.id, p.number, p.branch, p.kind, p.state, p.per_mille, p.version, p.commit, p.message,
       p.author, p.size, p.sentence, p.created,
       coalesce(o.offered, 0) as offered, coalesce(o.downloaded, 0) as downloaded,
       coalesce(o.launched, 0) as launched, coalesce(o.failed, 0) as failed,
       coalesce(s.saved, 0)::bigint as saved, coalesce(s.hits, 0)::bigint as patched
from page p left join of_entries o on o."group" = p.id left join saved s on s."group" = p.id
order by p.number desc

-- channels --
select c.name, c.branch, c.paused, c.pinned,
       (select count(*) from updates.devices d
        where d.app = c.app and d.channel = c.name and d.last_at > now() - interval '30 days') as devices,
       (select count(*) from updates.devices d
        where d.app = c.app and d.channel = c.name and d.last_at > now() - interval '30 days'
          and d.current = d.embedded) as embedded
from updates.channels c where c.app = %(app)s order by c.name

-- builds --
select platform, version, runtime, fingerprint, by, created from updates.store_builds
where app = %(app)s order by created desc limit 20
