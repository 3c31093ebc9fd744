-- A database and a user per program, so that the service, which is open to other machines, can't read Airflow's
-- secrets.
\set ON_ERROR_STOP on

\getenv password AIRFLOW_DB_PASSWORD
CREATE ROLE airflow LOGIN PASSWORD :'password';
CREATE DATABASE airflow OWNER airflow ENCODING 'UTF8' TEMPLATE template0;
REVOKE CONNECT ON DATABASE airflow FROM PUBLIC;

\getenv password MLFLOW_DB_PASSWORD
CREATE ROLE mlflow LOGIN PASSWORD :'password';
CREATE DATABASE mlflow OWNER mlflow ENCODING 'UTF8' TEMPLATE template0;
REVOKE CONNECT ON DATABASE mlflow FROM PUBLIC;

\getenv password STORE_DB_PASSWORD
CREATE ROLE store LOGIN PASSWORD :'password';
CREATE DATABASE store OWNER store ENCODING 'UTF8' TEMPLATE template0;
REVOKE CONNECT ON DATABASE store FROM PUBLIC;
