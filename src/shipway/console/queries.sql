-- mark_of_app --
-- Another text whenever something that pages of an app show is another.
select md5(concat_ws('|',
    (select string_agg(concat_ws(',', id, state, sentence), ';') from (
        select id, state, sentence from builds.runs
        where app = %(subject)s order by id desc limit 20) r),
    (select string_agg(concat_ws(',', id, state, stage, sentence, withdrawn), ';') from (
        select id, state, stage, sentence, withdrawn from releases.deployments
        where app = %(subject)s order by id desc limit 20) d),
    (select string_agg(concat_ws(',', id, state, gates, yeses), ';') from (
        select id, state,
               (select count(*) from releases.gates g where g.release = r.id) as gates,
               (select string_agg(concat_ws(',', person, reason, emergency), ';' order by person)
                from access.approvals a where a.release = r.id) as yeses
        from releases.releases r where app = %(subject)s order by number desc limit 5) r),
    (select string_agg(concat_ws(',', id, state, per_mille, sentence), ';') from (
        select id, state, per_mille, sentence from updates.groups
        where app = %(subject)s order by number desc limit 10) g),
    (select string_agg(concat_ws(',', id, state), ';') from (
        select id, state from updates.changes
        where app = %(subject)s order by created desc limit 10) c),
    (select string_agg(concat_ws(',', name, branch, paused, pinned), ';' order by name)
     from updates.channels where app = %(subject)s),
    (select string_agg(concat_ws(',', environment, name, set_at), ';' order by environment, name)
     from environments.variables where app = %(subject)s)
)) as mark

-- mark_of_run --
-- Likewise of one run, with the gates and deployments of its release.
select md5(concat_ws('|',
    (select concat_ws(',', state, sentence) from builds.runs where id = %(subject)s),
    (select string_agg(concat_ws(',', name, state, sentence), ';' order by position)
     from builds.steps where run = %(subject)s),
    (select concat_ws(',', r.state,
        (select count(*) from releases.gates g where g.release = r.id),
        (select string_agg(concat_ws(',', person, reason, emergency), ';' order by person)
         from access.approvals a where a.release = r.id),
        (select string_agg(concat_ws(',', d.state, d.stage), ';' order by d.id)
         from releases.deployments d where d.release = r.id))
     from releases.releases r where r.run = %(subject)s)
)) as mark

-- places --
-- Where somebody may want to go: what begins with or holds the words, the newest first. Releases
-- and runs are looked for by the last word, and by the app's name where there is a word before it.
with wanted as (
    select lower(%(whole)s) as whole, lower(%(last)s) as last,
           lower(rtrim(left(%(whole)s, -length(%(last)s)))) as app
), of_apps as (
    select name, '/apps/' || name as path, 1 as kind, 0::bigint as age
    from environments.apps, wanted where strpos(lower(name), whole) > 0
    order by name limit %(most)s
), of_releases as (
    select r.app || ' ' || r.version as name, '/apps/' || r.app || '/releases/' || r.version as path,
           2 as kind, row_number() over (order by r.created desc) as age
    from releases.releases r, wanted
    where (wanted.app = '' or r.app = wanted.app)
      and (starts_with(lower(r.version), last) or (length(last) > 5 and starts_with(r.commit, last)))
    order by r.created desc limit %(most)s
), of_runs as (
    select r.app || ' ' || r.branch || ' ' || left(r.commit, 8) || ' ' || r.state as name,
           '/apps/' || r.app || '/runs/' || r.id as path,
           3 as kind, row_number() over (order by r.id desc) as age
    from builds.runs r, wanted
    where (wanted.app = '' or r.app = wanted.app)
      and (strpos(lower(r.branch), last) > 0
           or (length(last) > 3 and starts_with(r.commit, last)) or r.id = last)
    order by r.id desc limit %(most)s
), of_people as (
    select p.name, '/people/' || p.name as path, 4 as kind, 0::bigint as age
    from access.people p, wanted where strpos(p.name, whole) > 0 order by p.name limit %(most)s
)
select name, path from (
    select * from of_apps union all select * from of_releases
    union all select * from of_runs union all select * from of_people) found
order by kind, age, name
