-- offered_patches --
select base, target, file, size, full_size from updates.patches
 where app = %(app)s and offered
 order by made desc
 limit 200;

-- patches --
select base, target, offered, file, size, full_size, hits, sentence, again is not null as again
  from updates.patches
 where app = %(app)s
 order by made desc, base, target;

-- keep_patch --
insert into updates.patches (app, base, target, file, size, full_size, offered, sentence, again)
values (%(app)s, %(base)s, %(target)s, %(file)s, %(size)s, %(full_size)s, %(offered)s,
        %(sentence)s, now() + %(wait)s::interval)
on conflict (app, base, target) do update
   set file = excluded.file, size = excluded.size, full_size = excluded.full_size,
       offered = excluded.offered, sentence = excluded.sentence, made = now(),
       tries = patches.tries + 1,
       again = case when patches.tries + 1 < %(tries)s then excluded.again end;

-- wanted_patches --
with newest as (
    select distinct on (e.platform, e.runtime) e.platform, e.runtime, e.launch, e.kind
      from updates.entries e join updates.groups g on g.id = e."group"
     where e.app = %(app)s and e.branch = %(branch)s and g.state <> 'reverted'
     order by e.platform, e.runtime, e.created desc
), run as (
    -- What devices run, by how many run it.
    select d.platform, d.runtime, coalesce(e.launch, b.launch) as launch, count(*) as devices
      from updates.devices d
      left join updates.entries e on e.id = d.current
      left join updates.store_builds b on b.app = d.app and b.embedded = d.current
     where d.app = %(app)s
     group by 1, 2, 3
), before as (
    select e.platform, e.runtime, e.launch, 0 as devices from (
        select e.*, row_number() over (partition by e.platform, e.runtime
                                           order by e.created desc) as age
          from updates.entries e where e.app = %(app)s and e.branch = %(branch)s
        ) as e
     where e.age between 2 and 3
), embedded as (
    select platform, runtime, launch, 0 as devices from updates.store_builds
     where app = %(app)s
), candidates as (
    select n.launch as target, c.launch as base, max(c.devices) as devices
      from newest n
      join (select * from run union all select * from before union all select * from embedded) c
        on c.platform = n.platform and c.runtime = n.runtime
     where n.kind = 'update' and c.launch <> '' and c.launch <> n.launch
     group by 1, 2
)
select base, target from candidates c
 where not exists (select 1 from updates.patches p
                    where p.app = %(app)s and p.base = c.base and p.target = c.target
                      and (p.again is null or p.again > now()))
 order by devices desc, target, base
 limit %(most)s;
