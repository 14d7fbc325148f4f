-- one_at_a_time --
-- Until the end of the transaction nobody else changes what the edge serves.
select pg_advisory_xact_lock(hashtext('shipway edge'))

-- put_pool --
insert into edge.pools (name, app, environment, endpoints, health_path)
values (%(name)s, %(app)s, %(environment)s, %(endpoints)s, %(health_path)s)
on conflict (name) do update set
    endpoints = excluded.endpoints,
    health_path = excluded.health_path
where (pools.app, pools.environment) = (excluded.app, excluded.environment)

-- remove_pool --
delete from edge.pools where name = %(name)s

-- hosts_on_pool --
-- The hosts whose shares name a pool.
select distinct host from edge.shares where pool = %(name)s order by host

-- pools --
select name, app, environment, endpoints, health_path from edge.pools order by name

-- pools_of --
select name, app, environment, endpoints, health_path
from edge.pools
where app = %(app)s and environment = %(environment)s
order by name

-- remove_routes --
delete from edge.routes
where app = %(app)s and environment = %(environment)s and not host = any(%(keep)s::text[])

-- put_route --
insert into edge.routes (host, app, environment, tls, hsts, minimum_tls, timeout_seconds)
values (%(host)s, %(app)s, %(environment)s, %(tls)s, %(hsts)s, %(minimum_tls)s, %(timeout_seconds)s)
on conflict (host) do update set
    tls = excluded.tls,
    hsts = excluded.hsts,
    minimum_tls = excluded.minimum_tls,
    timeout_seconds = excluded.timeout_seconds
where (routes.app, routes.environment) = (excluded.app, excluded.environment)

-- remove_shares --
delete from edge.shares where host = %(host)s

-- put_share --
insert into edge.shares (host, position, pool, per_mille, headers)
values (%(host)s, %(position)s, %(pool)s, %(per_mille)s, %(headers)s)

-- owner_of_host --
select app, environment from edge.routes where host = %(host)s

-- routes --
-- Each route with its shares in their order; of one app and environment, or of all.
select
    route.host, route.app, route.environment, route.tls, route.hsts, route.minimum_tls,
    route.timeout_seconds,
    coalesce(
        jsonb_agg(
            jsonb_build_object(
                'pool', share.pool, 'per_mille', share.per_mille, 'headers', share.headers
            )
            order by share.position
        ) filter (where share.host is not null),
        '[]'
    ) as shares
from edge.routes as route
left join edge.shares as share using (host)
where %(app)s::text is null or (route.app = %(app)s and route.environment = %(environment)s)
group by route.host
order by route.host
