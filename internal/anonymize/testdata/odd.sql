-- What odd.schema.json is the answer of SchemaQuery to.
create domain nir15 as varchar(15) not null;
create type mood as enum ('a','b');
create schema "Archive";
create table person(id serial primary key, last_name varchar(70), first_name varchar(70), born date, mail text, active bool, code nir15, m mood, gen text generated always as (last_name || 'x') stored, tags varchar(5)[], c char(3), n numeric(7,2));
create unique index on person(last_name, born);
create unique index on person(lower(mail));
create unique index on person(first_name) where active;
create unique index on person(code) include (born);
create table "Archive"."Day" (id int, day date, who text, person int references person(id), primary key (id, day)) partition by range (day);
create table "Archive".d1 partition of "Archive"."Day" for values from ('2020-01-01') to ('2021-01-01');
create table d2 partition of "Archive"."Day" for values from ('2021-01-01') to ('2022-01-01') partition by range (day);
create table d21 partition of d2 for values from ('2021-01-01') to ('2022-01-01');
create table child (a int, b date, foreign key (a,b) references "Archive"."Day"(id, day));
create table "a.b" (x int); alter table person drop column n;
create view v as select 1; create materialized view mv as select 1 as x;
create domain nir as nir15; create table dom(a nir, b nir15[] not null, d varchar);
