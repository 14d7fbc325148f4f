-- launches --
-- First launches by moment, in parts of the time that is shown; part 0 is what came before.
select width_bucket(extract(epoch from x.launched)::float8, extract(epoch from %(since)s)::float8,
                    extract(epoch from %(until)s)::float8, %(parts)s) as part, count(*) as launches
from updates.exposures x join updates.entries e on e.id = x.update_id and e.app = x.app
where e."group" = %(group)s and x.launched < %(until)s
group by 1 order by 1

-- patches --
select p.base, p.target, p.offered, p.size, p.full_size, p.hits, p.sentence
from updates.patches p
where p.app = %(app)s and p.target in (
    select launch from updates.entries where "group" = %(group)s and launch <> '')
order by p.hits desc, p.base limit 50

-- changes --
select action, state, sentence, by, created from updates.changes
where app = %(app)s and (about = %(group)s or arguments ->> 'update' = %(group)s)
order by created desc limit 20
