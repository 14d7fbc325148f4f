-- add_person --
insert into access.people (name, role, emails) values (%(name)s, %(role)s, %(emails)s)
on conflict do nothing returning *

-- people --
select * from access.people order by name

-- person --
select * from access.people where name = %(name)s

-- set_role --
update access.people set role = %(role)s where name = %(name)s

-- set_emails --
update access.people set emails = %(emails)s where name = %(name)s

-- remove_person --
delete from access.people where name = %(name)s

-- lock_people --
lock table access.people in share row exclusive mode

-- other_owners --
select count(*) as count from access.people where role = 'owner' and name <> %(name)s

-- people_by_email --
select name from access.people
where exists (select from unnest(emails) as email where lower(email) = any(%(emails)s))

-- add_token --
insert into access.tokens (id, person, name, digest, expires)
values (%(id)s, %(person)s, %(name)s, %(digest)s, %(expires)s) returning *

-- token --
select t.*, p.role from access.tokens t join access.people p on p.name = t.person
where t.digest = %(digest)s

-- token_by_id --
select * from access.tokens where id = %(id)s

-- touch_token --
-- Once a minute is enough to know whether a token is in use.
update access.tokens set last_used = %(now)s
where id = %(id)s and (last_used is null or last_used < %(now)s - interval '1 minute')

-- tokens --
select * from access.tokens where person = %(person)s order by created

-- revoke_token --
delete from access.tokens where id = %(id)s and person = %(person)s

-- approve --
insert into access.approvals (release, environment, person, reason, emergency)
values (%(release)s, %(environment)s, %(person)s, %(reason)s, %(emergency)s)
on conflict (release, environment, person) do update
set reason = excluded.reason, emergency = access.approvals.emergency or excluded.emergency
where access.approvals.reason = '' or excluded.emergency and not access.approvals.emergency

-- approvals --
select person, reason, at, emergency from access.approvals
where release = %(release)s and environment = %(environment)s order by at, person

-- approved_releases --
select distinct release from access.approvals where release = any (%(releases)s::text[])

-- approvals_of_release --
select environment, person, reason, at, emergency from access.approvals
where release = %(release)s order by at, person

-- record --
insert into access.audit (who, what, target, detail)
values (%(who)s, %(what)s, %(target)s, %(detail)s)

-- trail --
select * from access.audit
where (%(before)s::bigint is null or id < %(before)s) order by id desc limit %(limit)s

-- pusher --
-- Who pushed this commit to this branch last, as the hook recorded before it landed.
select who from access.audit
where what = 'push' and target = %(app)s and detail ->> %(ref)s = %(commit)s
order by id desc limit 1

-- begin_answer --
-- A row without a status is being answered; an old one was left by a process that died.
insert into access.answers (person, key, request) values (%(person)s, %(key)s, %(request)s)
on conflict (person, key) do update set at = now(), request = excluded.request
where access.answers.status is null and access.answers.at < now() - interval '2 minutes'
returning key

-- answer --
select * from access.answers where person = %(person)s and key = %(key)s

-- keep_answer --
update access.answers set status = %(status)s, body = %(body)s
where person = %(person)s and key = %(key)s

-- drop_answer --
delete from access.answers where person = %(person)s and key = %(key)s and status is null

-- forget_answers --
delete from access.answers where at < now() - interval '1 day'

-- set_password --
insert into access.passwords (person, hash) values (%(person)s, %(hash)s)
on conflict (person) do update set hash = excluded.hash, set_at = now()

-- password --
select hash, set_at from access.passwords where person = %(person)s

-- add_link --
insert into access.links (digest, person, expires) values (%(digest)s, %(person)s, %(expires)s)

-- forget_links --
delete from access.links where expires <= %(now)s

-- use_link --
-- Whoever deletes it has it: a second use finds nothing.
delete from access.links where digest = %(digest)s and expires > %(now)s returning person

-- link --
select person from access.links where digest = %(digest)s and expires > %(now)s

-- add_session --
insert into access.sessions (id, person, digest, changed, form_key, about, created, seen)
values (%(id)s, %(person)s, %(digest)s, %(now)s, %(form_key)s, %(about)s, %(now)s, %(now)s)

-- session --
select s.*, p.role, s.digest = %(digest)s as is_current
from access.sessions s join access.people p on p.name = s.person
where (s.digest = %(digest)s or s.previous = %(digest)s)
  and s.seen > %(idle_since)s and s.created > %(born_since)s

-- sessions --
select s.*, p.role from access.sessions s join access.people p on p.name = s.person
where s.person = %(person)s and s.seen > %(idle_since)s and s.created > %(born_since)s
order by s.seen desc

-- change_secret --
-- Of two requests at once one changes it, and the other goes on with the secret before.
update access.sessions
set digest = %(new)s, previous = digest, changed = %(now)s, seen = %(now)s
where id = %(id)s and digest = %(old)s

-- see_session --
-- The browser has the new secret: the one before is worth nothing from here on.
update access.sessions set seen = %(now)s, previous = case when %(is_current)s then null else previous end
where id = %(id)s

-- end_session --
delete from access.sessions where id = %(id)s and person = %(person)s

-- end_sessions --
delete from access.sessions where person = %(person)s and id <> %(keep)s

-- forget_sessions --
delete from access.sessions where seen <= %(idle_since)s or created <= %(born_since)s
