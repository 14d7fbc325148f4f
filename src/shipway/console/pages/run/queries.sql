-- steps --
select name, state, cached, started, ended, sentence, layer, facts from builds.steps
where run = %(run)s order by position

-- artifacts --
select name, digest, kind, size from builds.artifacts where run = %(run)s order by name
