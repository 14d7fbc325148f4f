-- releases --
-- A page of releases with the environments in which each is or was.
with page as (
    select * from releases.releases
    where app = %(app)s and number < %(below)s and (%(state)s = '' or state = %(state)s)
      and (%(since)s::timestamptz is null or created >= %(since)s)
      and (%(until)s::timestamptz is null or created < %(until)s)
    order by number desc limit %(limit)s
), places as (
    select d.release, array_agg(d.environment || ' ' || d.state order by d.id) as places
    from releases.deployments d
    where d.app = %(app)s and d.release in (select id from page)
      and d.state in ('live', 'warm', 'running', 'waiting', 'failed')
    group by d.release
)
select r.id, r.version, r.number, r.commit, r.state, r.schema_head, r.authors, r.created, r.run,
       split_part(r.changelog, E'\n', 1) as change,
       array_length(string_to_array(r.changelog, E'\n'), 1) as changes, p.places
from page r left join places p on p.release = r.id
order by r.number desc
