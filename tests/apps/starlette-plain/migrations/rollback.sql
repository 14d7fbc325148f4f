drop table visits;
delete from migrations where name = '0001_visits';
