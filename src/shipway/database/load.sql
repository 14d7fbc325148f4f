-- statements --
-- What a role asks a database most. Without a role, what we ourselves ask it.
select s.query
from pg_stat_statements s
join pg_database d on d.oid = s.dbid
join pg_roles r on r.oid = s.userid
where d.datname = %(database)s and r.rolname = coalesce(nullif(%(role)s, ''), current_user)
  and s.toplevel
order by s.calls desc
limit %(limit)s

-- forget_statements --
-- What was asked of a database, by whomever.
select pg_stat_statements_reset(0, oid, 0) from pg_database where datname = %(database)s

-- parameters --
-- The types of a prepared statement's parameters.
select array(select format_type(t::oid, null) from unnest(parameter_types) as t) as types
from pg_prepared_statements where name = %(name)s

-- is_prepared --
-- Whether this session has prepared it.
select 1 from pg_prepared_statements where name = %(name)s

-- tables --
-- The largest tables of the app, each with a column that may be set to what it is.
select n.nspname as schema, c.relname as table,
       (select a.attname from pg_attribute a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
          and a.attgenerated = '' and a.attidentity <> 'a'
        order by a.attnum desc limit 1) as column
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p') and n.nspname !~ '^(pg_|information_schema$|shipway_rehearsal$)'
order by pg_total_relation_size(c.oid) desc
limit %(limit)s

-- columns --
-- The columns of a table: whether they refer to another one, and whether they are unique.
select n.nspname as schema, c.relname as table, a.attname as name,
       exists (select from pg_constraint f
               where f.conrelid = c.oid and f.contype = 'f' and a.attnum = any (f.conkey)) as refers,
       exists (select from pg_index i
               where i.indrelid = c.oid and i.indisunique and a.attnum = any (i.indkey)) as distinct
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.oid = to_regclass(%(table)s)
