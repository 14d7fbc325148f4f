-- What open pages show changes by many hands: whoever looks at any of it is told.
create function kit.tell_change() returns trigger language plpgsql as $$
begin
    perform pg_notify('shipway_change', tg_table_schema || '.' || tg_table_name);
    return null;
end $$;

create trigger tell after insert or update on access.approvals
    for each statement execute function kit.tell_change();
create trigger tell after insert or update on releases.releases
    for each statement execute function kit.tell_change();
create trigger tell after insert on releases.gates
    for each statement execute function kit.tell_change();
create trigger tell after insert or update on updates.groups
    for each statement execute function kit.tell_change();
create trigger tell after insert or update on updates.changes
    for each statement execute function kit.tell_change();
create trigger tell after insert or update on updates.channels
    for each statement execute function kit.tell_change();
create trigger tell after insert or update or delete on environments.variables
    for each statement execute function kit.tell_change();

-- A release's deployments are asked for by every page that names it.
create index deployments_of_release on releases.deployments (release);

-- Steps of one layer run side by side, and each layer waits for the one before.
alter table builds.steps add column layer integer;
