-- put --
-- One row for each channel that the app has now. The same key again changes nothing.
with notification as (
    insert into health.outbox (id, key, event, app, subject, sentence, evidence)
    values (%(id)s, %(key)s, %(event)s, %(app)s, %(subject)s, %(sentence)s, %(evidence)s)
    on conflict (key) do nothing
    returning id
)
insert into health.deliveries (id, notification, channel)
select notification.id || '.' || channel.id, notification.id, channel.id
  from notification, health.channels channel
 where channel.app = %(app)s
returning pg_notify('shipway_outbox', id)

-- claim --
-- Counts the attempt before it is made: a worker that dies in it has made it.
update health.deliveries d
   set attempts = d.attempts + 1, next_at = now() + interval '1 minute'
  from health.outbox o, health.channels c
 where d.id in (
       select id from health.deliveries
        where state = 'waiting' and next_at <= now()
        order by next_at limit %(limit)s for update skip locked)
   and o.id = d.notification and c.id = d.channel
returning d.id as delivery, d.attempts, o.id, o.event, o.app, o.subject, o.sentence, o.evidence,
          o.at, c.id as channel, c.kind, c.target, c.secret, c.created

-- next_due --
select extract(epoch from min(next_at) - now())::float as seconds
  from health.deliveries where state = 'waiting'

-- delivered --
update health.deliveries set state = 'delivered', last_error = '' where id = %(id)s

-- put_off --
update health.deliveries set next_at = now() + %(wait)s, last_error = %(why)s where id = %(id)s

-- give_up --
update health.deliveries set state = 'given_up', last_error = %(why)s where id = %(id)s

-- deliveries --
select d.id, o.event, o.subject, o.sentence, d.channel, d.state, d.attempts, d.last_error, o.at
  from health.deliveries d join health.outbox o on o.id = d.notification
 where o.app = %(app)s and (%(before)s::text is null or d.id < %(before)s)
 order by d.id desc limit %(limit)s

-- add_channel --
insert into health.channels (id, app, kind, target, secret)
values (%(id)s, %(app)s, %(kind)s, %(target)s, %(secret)s)
on conflict do nothing returning *

-- channels --
select * from health.channels where app = %(app)s order by created, id

-- remove_channel --
delete from health.channels where id = %(id)s and app = %(app)s
