-- create_app --
insert into environments.apps (name, created_by) values (%(name)s, %(created_by)s)
on conflict do nothing
returning name, created_by, created, commit, accepted

-- app --
select name, created_by, created, commit, accepted from environments.apps where name = %(name)s

-- apps --
select name, created_by, created, commit, accepted from environments.apps order by name

-- remove_app --
delete from environments.apps where name = %(name)s

-- accept --
update environments.apps set commit = %(commit)s, product = %(product)s, accepted = now()
where name = %(name)s

-- product --
select product from environments.apps where name = %(name)s

-- products --
select name, product from environments.apps order by name

-- set_variable --
insert into environments.variables
    (app, environment, name, kind, value, sealed, likeness, set_by)
values
    (%(app)s, %(environment)s, %(name)s, %(kind)s, %(value)s, %(sealed)s, %(likeness)s, %(by)s)
on conflict (app, environment, name) do update set
    kind = excluded.kind,
    value = excluded.value,
    sealed = excluded.sealed,
    likeness = excluded.likeness,
    set_by = excluded.set_by,
    set_at = now()

-- unset_variable --
delete from environments.variables
where app = %(app)s and environment = %(environment)s and name = %(name)s

-- variables --
select name, kind, value, sealed, likeness, set_by, set_at from environments.variables
where app = %(app)s and environment = %(environment)s order by name

-- keep_generated --
-- The first one stays: whoever comes second uses it too.
insert into environments.generated (app, environment, name, sealed)
values (%(app)s, %(environment)s, %(name)s, %(sealed)s)
on conflict do nothing

-- generated --
select name, sealed from environments.generated
where app = %(app)s and environment = %(environment)s order by name
