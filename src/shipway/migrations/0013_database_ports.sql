create table database.ports (
    app text not null,
    environment text not null,
    port integer not null unique,
    primary key (app, environment)
);
