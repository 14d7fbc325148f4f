-- releases --
-- A page of releases with the environments in which each is or was.
select r.id, r.version, r.number, r.commit, r.state, r.schema_head, r.authors, r.created, r.run,
       split_part(r.changelog, E'\n', 1) as change,
       array_length(string_to_array(r.changelog, E'\n'), 1) as changes,
       (select array_agg(d.environment || ' ' || d.state order by d.id)
        from releases.deployments d
        where d.release = r.id and d.state in ('live', 'warm', 'running', 'waiting', 'failed')) as places
from releases.releases r
where r.app = %(app)s and r.number < %(below)s and (%(state)s = '' or r.state = %(state)s)
order by r.number desc limit %(limit)s
