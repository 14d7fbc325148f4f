-- claim_recovery --
-- One copy of each database at a time; the same operation again goes on with its own.
insert into database.recoveries (app, environment, operation, asked)
values (%(app)s, %(environment)s, %(operation)s, %(asked)s)
on conflict (app, environment) do nothing

-- recovery --
-- The copy of a database, where there is one.
select operation, asked, repository, backup, target, state, newest, head, differences, created
from database.recoveries where app = %(app)s and environment = %(environment)s

-- choose_recovery --
-- What it is brought up from.
update database.recoveries
set repository = %(repository)s, backup = %(backup)s, target = %(target)s
where app = %(app)s and environment = %(environment)s

-- stand_recovery --
-- It stands at its moment, and differs so.
update database.recoveries
set state = 'standing', newest = %(newest)s, head = %(head)s, differences = %(differences)s
where app = %(app)s and environment = %(environment)s and state <> 'promoting'

-- promote_recovery --
-- From now on it can only be put in place.
update database.recoveries set state = 'promoting'
where app = %(app)s and environment = %(environment)s

-- take_back_recovery --
-- It could not be put in place.
update database.recoveries set state = 'standing'
where app = %(app)s and environment = %(environment)s and state = 'promoting'

-- forget_recovery --
-- It is gone, or in place.
delete from database.recoveries where app = %(app)s and environment = %(environment)s

-- lived --
-- What the schema went through, the latest first. A migration that was tried again counts once.
select release, started as began, before, coalesce(after, '') as after
from database.migrations
where app = %(app)s and environment = %(environment)s and state = 'succeeded'
order by started desc
