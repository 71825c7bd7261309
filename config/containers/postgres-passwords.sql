-- Gives the roles of docs/postgres-roles.sql the passwords that were made at the first start.
\set ON_ERROR_STOP on
\set owner `cat /secrets/postgres/owner`
\set app `cat /secrets/postgres/app`
ALTER ROLE gatekeeper_owner PASSWORD :'owner';
ALTER ROLE gatekeeper_app PASSWORD :'app';
