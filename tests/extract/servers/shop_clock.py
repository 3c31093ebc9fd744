"""Sets the clock of an empty shop, and of the pulls from it, back by days."""

import datetime as dt
from types import SimpleNamespace

import sqlalchemy as sa

from pipelines.extract import staging

TRIGGER = """
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET timezone = ''UTC''', current_database()); END $$;
SET timezone = 'UTC';
TRUNCATE "order" CASCADE;
CREATE TABLE IF NOT EXISTS shop_clock (moved interval NOT NULL);
DELETE FROM shop_clock;
INSERT INTO shop_clock VALUES ('0');
CREATE OR REPLACE FUNCTION move_time() RETURNS trigger AS $$
DECLARE moved_by interval;
BEGIN
  SELECT moved INTO moved_by FROM shop_clock;
  {moves}
  RETURN NEW;
END $$ LANGUAGE plpgsql;
CREATE OR REPLACE TRIGGER move_time BEFORE INSERT OR UPDATE ON "order"
  FOR EACH ROW EXECUTE FUNCTION move_time();
"""
# A time that a program wrote just now. Programs also write back times that were moved before.
MOVE = """
  IF NEW."{column}" > now() - interval '1 hour'
    AND (TG_OP = 'INSERT' OR NEW."{column}" IS DISTINCT FROM OLD."{column}") THEN
    NEW."{column}" := NEW."{column}" + moved_by;
  END IF;"""


class ShopClock:
    """Empties a shop of its orders; moves the times of new ones in its database, and the pulls' clock."""

    def __init__(self, database, columns, monkeypatch):
        self.engine = sa.create_engine(database, poolclass=sa.NullPool)
        self.moved = dt.timedelta()
        self._run(TRIGGER.format(moves="".join(MOVE.format(column=column) for column in columns)))
        clock = self

        class Moved(dt.datetime):
            @classmethod
            def now(cls, tz=None):
                return dt.datetime.now(tz) + clock.moved

        monkeypatch.setattr(staging, "dt", SimpleNamespace(datetime=Moved, UTC=dt.UTC))

    def set(self, days_ago):
        """Makes it so many days ago, until the next call."""
        self.moved = dt.timedelta(days=-days_ago)
        self._run(f"UPDATE shop_clock SET moved = interval '{-days_ago} days'")

    @property
    def today(self):
        return (dt.datetime.now(dt.UTC) + self.moved).date()

    def _run(self, statements):
        with self.engine.begin() as connection:
            connection.execute(sa.text(statements))
