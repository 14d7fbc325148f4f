-- mark_of_app --
-- Another text whenever something that pages of an app show is another.
select md5(concat_ws('|',
    (select string_agg(concat_ws(',', id, state, sentence), ';') from (
        select id, state, sentence from builds.runs
        where app = %(subject)s order by id desc limit 20) r),
    (select string_agg(concat_ws(',', id, state, stage, sentence), ';') from (
        select id, state, stage, sentence from releases.deployments
        where app = %(subject)s order by id desc limit 20) d),
    (select string_agg(concat_ws(',', id, state, gates, yeses), ';') from (
        select id, state,
               (select count(*) from releases.gates g where g.release = r.id) as gates,
               (select count(*) from access.approvals a where a.release = r.id) as yeses
        from releases.releases r where app = %(subject)s order by number desc limit 5) r),
    (select string_agg(concat_ws(',', id, state, per_mille, sentence), ';') from (
        select id, state, per_mille, sentence from updates.groups
        where app = %(subject)s order by number desc limit 10) g),
    (select count(*) from updates.changes where app = %(subject)s and state = 'waiting')
)) as mark

-- mark_of_run --
-- Likewise of one run, with the gates and deployments of its release.
select md5(concat_ws('|',
    (select concat_ws(',', state, sentence) from builds.runs where id = %(subject)s),
    (select string_agg(concat_ws(',', name, state, sentence), ';' order by position)
     from builds.steps where run = %(subject)s),
    (select concat_ws(',', r.state,
        (select count(*) from releases.gates g where g.release = r.id),
        (select count(*) from access.approvals a where a.release = r.id),
        (select string_agg(concat_ws(',', d.state, d.stage), ';' order by d.id)
         from releases.deployments d where d.release = r.id))
     from releases.releases r where r.run = %(subject)s)
)) as mark
