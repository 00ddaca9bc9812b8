"""Analysis: records in, tables, leaderboards and tests out; nothing is drawn here."""
