-- Up Migration
create table notes (id serial primary key, text text not null);

-- Down Migration
drop table notes;
