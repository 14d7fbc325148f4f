-- people --
select p.name, p.role, p.emails, p.created,
       (select count(*) from access.tokens t
        where t.person = p.name and (t.expires is null or t.expires > now())) as tokens,
       greatest((select max(last_used) from access.tokens t where t.person = p.name),
                (select max(seen) from access.sessions s where s.person = p.name)) as last_seen
from access.people p order by p.name
