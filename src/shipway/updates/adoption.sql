-- consumed --
select file, bytes from updates.consumed;

-- consume --
insert into updates.consumed (file, bytes) values (%(file)s, %(bytes)s)
on conflict (file) do update set bytes = excluded.bytes;

-- forget_consumed --
delete from updates.consumed where not file = any(%(files)s);

-- put_devices --
-- Those of channels that there are: an app may be gone.
insert into updates.devices
    (app, client, channel, platform, runtime, current, embedded, first_at, last_at)
select seen.app, client, channel, platform, runtime, current, embedded, at, at
  from jsonb_to_recordset(%(rows)s) as seen (
       app text, client text, channel text, platform text, runtime text, current text,
       embedded text, at timestamptz)
  join updates.channels c on c.app = seen.app and c.name = seen.channel
on conflict (app, client) do update
   set channel = excluded.channel, platform = excluded.platform, runtime = excluded.runtime,
       current = excluded.current, embedded = excluded.embedded, last_at = excluded.last_at
 where excluded.last_at >= devices.last_at;

-- put_exposures --
-- To updates that there are: requests may name any.
insert into updates.exposures
    (app, update_id, client, offered, downloaded, launched, failed, error)
select seen.app, update_id, client, offered, downloaded, launched, failed, coalesce(error, '')
  from jsonb_to_recordset(%(rows)s) as seen (
       app text, update_id text, client text, offered timestamptz, downloaded timestamptz,
       launched timestamptz, failed timestamptz, error text)
  join updates.entries e on e.id = seen.update_id and e.app = seen.app
on conflict (app, update_id, client) do update
   set offered = coalesce(exposures.offered, excluded.offered),
       downloaded = coalesce(exposures.downloaded, excluded.downloaded),
       launched = coalesce(exposures.launched, excluded.launched),
       failed = coalesce(exposures.failed, excluded.failed),
       error = case when exposures.error = '' then excluded.error else exposures.error end;

-- hit_patches --
-- Downloads that were patches, by what they led to and from.
update updates.patches p
   set hits = p.hits + seen.hits
  from jsonb_to_recordset(%(rows)s) as seen (app text, target text, base text, hits bigint)
  join updates.entries t on t.id = seen.target
  left join updates.entries b on b.id = seen.base
  left join updates.store_builds s on s.embedded = seen.base
 where p.app = seen.app and p.target = t.launch and p.base = coalesce(b.launch, s.launch);

-- adoption --
-- By update. Silent: offered it, then never heard of again.
select e.id, e.platform, e.runtime,
       count(x.offered) as offered,
       count(x.downloaded) as downloaded,
       count(x.launched) as launched,
       count(x.failed) as failed,
       count(*) filter (
           where x.launched is null and x.failed is null and x.offered < %(silent_since)s
             and d.last_at < x.offered + interval '5 minutes') as silent,
       (select count(*) from updates.devices r where r.app = e.app and r.current = e.id) as running
  from updates.entries e
  left join updates.exposures x on x.app = e.app and x.update_id = e.id
  left join updates.devices d on d.app = x.app and d.client = x.client
 where e."group" = %(group)s
 group by e.id, e.platform, e.runtime, e.app
 order by e.platform, e.runtime;

-- errors --
select error, count(*) as devices from updates.exposures x
  join updates.entries e on e.id = x.update_id and e.app = x.app
 where e."group" = %(group)s and x.error <> ''
 group by error
 order by devices desc, error
 limit 10;
