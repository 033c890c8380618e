"""The tables of the index. The columns of `aspects`, `artifacts` and `jobs` are what lists search and sort by."""

from __future__ import annotations

VERSION = 3
"""Raised when the tables change; an index of another version is made again."""

TABLES = """
CREATE TABLE files(kind TEXT, id TEXT, mtime INTEGER, size INTEGER, PRIMARY KEY(kind, id)) WITHOUT ROWID;
CREATE TABLE filled(kind TEXT, id TEXT, mtime INTEGER, size INTEGER);
CREATE TABLE folders(kind TEXT PRIMARY KEY, mtime INTEGER, noted INTEGER);
CREATE TABLE intents(kind TEXT, id TEXT, at INTEGER, PRIMARY KEY(kind, id)) WITHOUT ROWID;
CREATE TABLE problems(kind TEXT, id TEXT, path TEXT, message TEXT, PRIMARY KEY(kind, id)) WITHOUT ROWID;
CREATE TABLE boots(id TEXT PRIMARY KEY);
CREATE TABLE begun(version INTEGER, boot TEXT);
CREATE TABLE aspects(
  id TEXT NOT NULL, entity TEXT NOT NULL, schema TEXT NOT NULL, content TEXT NOT NULL,
  content_type TEXT NOT NULL,
  policy TEXT NOT NULL, account TEXT NOT NULL, asserter TEXT NOT NULL, retracter TEXT, replaces TEXT,
  valid_from INTEGER NOT NULL, valid_to INTEGER, origin TEXT NOT NULL, head TEXT NOT NULL);
CREATE INDEX aspects_replacing ON aspects(replaces) WHERE replaces IS NOT NULL;
CREATE INDEX aspects_by_origin ON aspects(origin) WHERE origin <> '';
CREATE TABLE artifacts(
  id TEXT PRIMARY KEY, name TEXT, status TEXT, size INTEGER, mime_type TEXT, policy TEXT, collection TEXT, path TEXT,
  created_at INTEGER NOT NULL, record TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX artifacts_by_time ON artifacts(created_at, id);
CREATE INDEX artifacts_by_path ON artifacts(path) WHERE path IS NOT NULL;
CREATE TABLE jobs(
  id TEXT PRIMARY KEY, service TEXT NOT NULL, name TEXT, status TEXT NOT NULL, "order" TEXT, key TEXT,
  requested_at INTEGER NOT NULL, started_at INTEGER, finished_at INTEGER, record TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX jobs_by_service ON jobs(service, requested_at, id);
CREATE INDEX jobs_by_time ON jobs(requested_at, id);
CREATE INDEX jobs_unfinished ON jobs(requested_at) WHERE finished_at IS NULL;
CREATE UNIQUE INDEX jobs_by_key ON jobs(key) WHERE key IS NOT NULL;
"""

BY_ID = "CREATE UNIQUE INDEX IF NOT EXISTS aspects_by_id ON aspects(id)"

SEARCHED = """
CREATE INDEX IF NOT EXISTS aspects_by_time ON aspects(valid_from, id, schema, entity);
CREATE INDEX IF NOT EXISTS aspects_by_schema ON aspects(schema, valid_from, id);
CREATE INDEX IF NOT EXISTS aspects_by_entity ON aspects(entity, schema, valid_from, id);
CREATE INDEX IF NOT EXISTS live_by_time ON aspects(valid_from, id, schema, entity) WHERE valid_to IS NULL;
CREATE INDEX IF NOT EXISTS live_by_schema ON aspects(schema, valid_from, id) WHERE valid_to IS NULL;
CREATE INDEX IF NOT EXISTS live_by_entity ON aspects(entity, valid_from, id, schema) WHERE valid_to IS NULL;
CREATE INDEX IF NOT EXISTS live_by_both ON aspects(entity, schema, valid_from, id) WHERE valid_to IS NULL;
"""
"""Created last, because an index over all rows is made faster than it grows row by row."""
