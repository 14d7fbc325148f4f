-- artifacts --
-- The artifacts of the release's run, with their sizes.
select name, digest, kind, size from builds.artifacts where run = %(run)s order by name

-- fingerprints --
-- What the run found out about the native parts.
select name, facts from builds.steps where run = %(run)s and facts::text <> '{}' order by position

-- migrations --
select m.environment, m.state, m.before, m.after, m.statements, m.attempts, m.seconds, m.sentence,
       m.started
from database.migrations m where m.release = %(release)s order by m.started desc

-- update --
select id, branch, state, per_mille, created from updates.groups
where app = %(app)s and release = %(release)s order by number desc

-- before --
-- The release before, whose successor this one is.
select id, version, commit, schema_head, artifacts, product from releases.releases
where app = %(app)s and number < %(number)s and state <> 'refused' order by number desc limit 1
