-- Two roles for Gatekeeper on Postgres. gatekeeper_owner owns the schema and migrates it, and nobody
-- serves with it. gatekeeper_app serves: it cannot change or delete what the ledger holds, switch a
-- trigger off, or touch the schema.
--
-- Run it once as a superuser in the new, empty database, then give both roles a password:
--
--   createdb gatekeeper
--   psql -d gatekeeper -v ON_ERROR_STOP=1 -f postgres-roles.sql
--   psql -d gatekeeper -c '\password gatekeeper_owner' -c '\password gatekeeper_app'
--
-- What the serving role may do to each table is granted by `gatekeeper init` and by each
-- `gatekeeper db upgrade`, which run as the owner (database.owner_url).

DO $$
DECLARE
  wanted text;
BEGIN
  FOREACH wanted IN ARRAY ARRAY['gatekeeper_owner', 'gatekeeper_app'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
      EXECUTE format('CREATE ROLE %I LOGIN', wanted);
    END IF;
    EXECUTE format(
      'ALTER ROLE %I NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS', wanted);
  END LOOP;
  EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
  EXECUTE format(
    'GRANT CONNECT ON DATABASE %I TO gatekeeper_owner, gatekeeper_app', current_database());
END $$;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
ALTER SCHEMA public OWNER TO gatekeeper_owner;
GRANT USAGE ON SCHEMA public TO gatekeeper_app;
