-- trail --
-- A page of the trail: of somebody, of a kind of deed, or about something.
select id, at, who, what, target, detail from access.audit
where (%(before)s::bigint is null or id < %(before)s)
  and (%(who)s = '' or who = %(who)s)
  and (%(what)s = '' or what like replace(replace(%(what)s, '\', '\\'), '%%', '\%%') || '%%')
  and (%(since)s::timestamptz is null or at >= %(since)s)
  and (%(until)s::timestamptz is null or at < %(until)s)
order by id desc limit %(limit)s
