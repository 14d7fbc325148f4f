-- what_is_there --
-- How much is to be copied, and what a superuser has to have made before.
select pg_database_size(current_database()) as bytes,
       (select array_agg(quote_ident(extname)) from pg_extension) as extensions
