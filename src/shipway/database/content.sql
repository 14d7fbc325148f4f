-- columns --
-- Every column that holds rows of its own, sorted: a column that comes back is the last one.
select n.nspname as schema, c.relname as table, a.attname as column
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relkind = 'r' and n.nspname !~ '^(pg_|information_schema$|shipway_rehearsal$)'
order by 1, 2, 3

-- shape --
-- Columns, indexes and constraints, each as a line.
select c.relname as table, format('column %s.%s.%s %s%s default %s', n.nspname, c.relname, a.attname,
              format_type(a.atttypid, a.atttypmod), case when a.attnotnull then ' not null' end,
              pg_get_expr(d.adbin, d.adrelid)) as line
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
where c.relkind in ('r', 'p', 'v', 'm')
  and n.nspname !~ '^(pg_|information_schema$|shipway_rehearsal$)'
union all
select tablename, format('index %s', indexdef) from pg_indexes
where schemaname !~ '^(pg_|information_schema$|shipway_rehearsal$)'
union all
select c.relname,
       format('constraint %s on %s: %s', conname, conrelid::regclass, pg_get_constraintdef(k.oid))
from pg_constraint k join pg_class c on c.oid = k.conrelid
where connamespace::regnamespace::text !~ '^(pg_|information_schema$|shipway_rehearsal$)'

-- sum --
-- How many rows a table has, and a sum that no order of them changes.
select count(*) as rows,
       coalesce(sum(hashtextextended(row({columns})::text, 0)::numeric), 0) as total
from {table}
