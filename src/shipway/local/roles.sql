-- A script of psql, with the roles that an environment on a server has: migrations own the schema,
-- and the server reads and writes rows. May be repeated.
select format('create role %I', name)
from unnest(array['schema_owner', 'server']) as name
where not exists (select from pg_roles where rolname = name) \gexec
alter role schema_owner login password :'password';
alter role server login password :'password';
select 'create database app owner schema_owner'
where not exists (select from pg_database where datname = 'app') \gexec
\connect app
alter default privileges for role schema_owner grant select, insert, update, delete on tables to server;
alter default privileges for role schema_owner grant usage, select, update on sequences to server;
alter default privileges for role schema_owner grant usage on schemas to server;
