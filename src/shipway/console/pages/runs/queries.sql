-- runs --
-- A page of runs; `before` is the last one of the page before.
select r.id, r.branch, r.commit, r.kind, r.state, r.pushed_by, coalesce(r.started, r.created) as started,
       r.ended, r.sentence, rel.version
from builds.runs r left join releases.releases rel on rel.run = r.id
where r.app = %(app)s and (%(before)s = '' or r.id < %(before)s)
  and (%(branch)s = '' or r.branch = %(branch)s) and (%(state)s = '' or r.state = %(state)s)
  and (%(since)s::timestamptz is null or r.created >= %(since)s)
  and (%(until)s::timestamptz is null or r.created < %(until)s)
order by r.id desc limit %(limit)s

-- branches --
select distinct branch from (
    select branch from builds.runs where app = %(app)s order by id desc limit 500) recent
order by branch
