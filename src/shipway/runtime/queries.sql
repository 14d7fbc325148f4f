-- lock_ports --
-- Ports are given out one at a time.
select last from runtime.ports for update;

-- free_ports --
-- Ports that no instance has, the longest unused first.
select pool.port
from generate_series(%(first)s::integer, %(last)s::integer) as pool (port)
where not exists (select from runtime.instances where instances.port = pool.port)
order by pool.port <= (select last from runtime.ports), pool.port
limit 50;

-- use_port --
update runtime.ports set last = %(port)s;

-- add --
insert into runtime.instances
    (id, app, environment, release, deployment, index, copy, port, service)
values
    (%(id)s, %(app)s, %(environment)s, %(release)s, %(deployment)s, %(index)s, %(copy)s, %(port)s,
     %(service)s);

-- at_place --
-- The newest instance of a place in a deployment.
select * from runtime.instances
where deployment = %(deployment)s and index = %(index)s and not leaving
order by copy desc
limit 1;

-- running --
select * from runtime.instances
where app = %(app)s and environment = %(environment)s and not leaving
order by created, index, copy;

-- all --
select * from runtime.instances order by created, index, copy;

-- leave --
update runtime.instances set leaving = true where id = %(id)s;

-- remove --
delete from runtime.instances where id = %(id)s;
