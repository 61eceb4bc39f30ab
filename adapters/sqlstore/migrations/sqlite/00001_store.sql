-- +goose Up
CREATE TABLE tenant (
	tenant INTEGER PRIMARY KEY,
	name   TEXT NOT NULL UNIQUE
);

-- Texts that many rows share: types, parameters, systems, classes, profiles.
CREATE TABLE term (
	term   INTEGER PRIMARY KEY,
	tenant INTEGER NOT NULL,
	text   TEXT NOT NULL,
	UNIQUE (tenant, text)
);

-- Classes (kind 1) and profiles (kind 2) in use.
CREATE TABLE landscape (
	tenant INTEGER NOT NULL,
	kind   INTEGER NOT NULL,
	term   INTEGER NOT NULL,
	PRIMARY KEY (tenant, kind, term)
) WITHOUT ROWID;

-- One row for each key that was written (state 1 there, 2 deleted) or is only
-- referred to (state 0). about counts its patients, patient is
-- the one where there is one, held says which tables have rows of it.
CREATE TABLE res (
	rid     INTEGER PRIMARY KEY,
	tenant  INTEGER NOT NULL,
	type    INTEGER NOT NULL,
	id      TEXT NOT NULL,
	state   INTEGER NOT NULL,
	version INTEGER NOT NULL,
	updated INTEGER NOT NULL,
	class   INTEGER NOT NULL,
	about   INTEGER NOT NULL,
	patient INTEGER NOT NULL,
	held    INTEGER NOT NULL,
	facts   BLOB NOT NULL,
	UNIQUE (tenant, id, type)
);
CREATE INDEX res_type ON res (tenant, type) WHERE state = 1;
CREATE INDEX res_updated ON res (tenant, type, updated) WHERE state = 1;

-- Every version. (tx, n) is its place in the order of all commits; there is one
-- writer, so tx alone is a total order and n is always 0.
CREATE TABLE version (
	tx      INTEGER PRIMARY KEY,
	n       INTEGER NOT NULL DEFAULT 0,
	tenant  INTEGER NOT NULL,
	rid     INTEGER NOT NULL,
	type    INTEGER NOT NULL,
	version INTEGER NOT NULL,
	updated INTEGER NOT NULL,
	state   INTEGER NOT NULL,
	class   INTEGER NOT NULL,
	facts   BLOB NOT NULL,
	body    BLOB NOT NULL,
	UNIQUE (tenant, rid, version)
);
CREATE INDEX version_tenant ON version (tenant);
CREATE INDEX version_type ON version (tenant, type);

-- Whom a resource is about, and whom it names.
CREATE TABLE about (
	tenant  INTEGER NOT NULL,
	rid     INTEGER NOT NULL,
	patient INTEGER NOT NULL,
	type    INTEGER NOT NULL,
	PRIMARY KEY (tenant, rid, patient)
) WITHOUT ROWID;
CREATE INDEX about_patient ON about (tenant, patient, type, rid);
CREATE TABLE party (
	tenant INTEGER NOT NULL,
	rid    INTEGER NOT NULL,
	actor  INTEGER NOT NULL,
	type   INTEGER NOT NULL,
	PRIMARY KEY (tenant, rid, actor)
) WITHOUT ROWID;
CREATE INDEX party_actor ON party (tenant, actor, type, rid);

-- What is known of patients.
CREATE TABLE patient (
	tenant  INTEGER NOT NULL,
	rid     INTEGER NOT NULL,
	profile INTEGER NOT NULL,
	until   INTEGER NOT NULL,
	PRIMARY KEY (tenant, rid)
) WITHOUT ROWID;
CREATE TABLE relation (
	tenant  INTEGER NOT NULL,
	patient INTEGER NOT NULL,
	actor   INTEGER NOT NULL,
	rid     INTEGER NOT NULL,
	n       INTEGER NOT NULL,
	episode INTEGER NOT NULL,
	ended   INTEGER NOT NULL,
	PRIMARY KEY (tenant, patient, actor, rid, n)
) WITHOUT ROWID;
CREATE INDEX relation_rid ON relation (tenant, rid);
CREATE INDEX relation_actor ON relation (tenant, actor, ended, patient);

-- The search index, a table a kind. Each has its rows by value and by resource.
CREATE TABLE ix_token (
	tenant INTEGER NOT NULL,
	type   INTEGER NOT NULL,
	param  INTEGER NOT NULL,
	code   TEXT NOT NULL,
	system INTEGER NOT NULL,
	rid    INTEGER NOT NULL,
	PRIMARY KEY (tenant, type, param, code, system, rid)
) WITHOUT ROWID;
CREATE INDEX ix_token_rid ON ix_token (tenant, rid, param);
CREATE TABLE ix_ref (
	tenant INTEGER NOT NULL,
	type   INTEGER NOT NULL,
	param  INTEGER NOT NULL,
	target INTEGER NOT NULL,
	url    TEXT NOT NULL,
	rid    INTEGER NOT NULL,
	PRIMARY KEY (tenant, type, param, target, url, rid)
) WITHOUT ROWID;
CREATE INDEX ix_ref_rid ON ix_ref (tenant, rid, param);
CREATE INDEX ix_ref_target ON ix_ref (tenant, target) WHERE target <> 0;
CREATE TABLE ix_date (
	tenant INTEGER NOT NULL,
	type   INTEGER NOT NULL,
	param  INTEGER NOT NULL,
	low    INTEGER NOT NULL,
	high   INTEGER NOT NULL,
	rid    INTEGER NOT NULL,
	PRIMARY KEY (tenant, type, param, low, high, rid)
) WITHOUT ROWID;
CREATE INDEX ix_date_rid ON ix_date (tenant, rid, param);
CREATE TABLE ix_string (
	tenant INTEGER NOT NULL,
	type   INTEGER NOT NULL,
	param  INTEGER NOT NULL,
	folded TEXT NOT NULL,
	text   TEXT NOT NULL,
	rid    INTEGER NOT NULL,
	PRIMARY KEY (tenant, type, param, folded, text, rid)
) WITHOUT ROWID;
CREATE INDEX ix_string_rid ON ix_string (tenant, rid, param);
CREATE TABLE ix_uri (
	tenant INTEGER NOT NULL,
	type   INTEGER NOT NULL,
	param  INTEGER NOT NULL,
	url    TEXT NOT NULL,
	rid    INTEGER NOT NULL,
	PRIMARY KEY (tenant, type, param, url, rid)
) WITHOUT ROWID;
CREATE INDEX ix_uri_rid ON ix_uri (tenant, rid, param);
CREATE TABLE ix_number (
	tenant INTEGER NOT NULL,
	type   INTEGER NOT NULL,
	param  INTEGER NOT NULL,
	num    REAL NOT NULL,
	system INTEGER NOT NULL,
	code   TEXT NOT NULL,
	rid    INTEGER NOT NULL,
	PRIMARY KEY (tenant, type, param, num, system, code, rid)
) WITHOUT ROWID;
CREATE INDEX ix_number_rid ON ix_number (tenant, rid, param);

CREATE TABLE memo (
	tenant  INTEGER NOT NULL,
	space   TEXT NOT NULL,
	key     TEXT NOT NULL,
	value   BLOB NOT NULL,
	expires INTEGER NOT NULL,
	version INTEGER NOT NULL,
	PRIMARY KEY (tenant, space, key)
) WITHOUT ROWID;
CREATE INDEX memo_expires ON memo (tenant, expires);

-- Outgoing work: state 0 waiting or leased, 1 done, 2 dead. What is done stays as
-- an id, so that it is not done twice.
CREATE TABLE work (
	seq     INTEGER PRIMARY KEY,
	tenant  INTEGER NOT NULL,
	id      TEXT NOT NULL,
	lane    TEXT NOT NULL,
	kind    TEXT NOT NULL,
	body    BLOB NOT NULL,
	due     INTEGER NOT NULL,
	born    INTEGER NOT NULL,
	attempt INTEGER NOT NULL,
	state   INTEGER NOT NULL,
	note    TEXT NOT NULL,
	until   INTEGER NOT NULL,
	UNIQUE (tenant, id)
);
CREATE INDEX work_lane ON work (tenant, kind, lane) WHERE state = 0;
CREATE INDEX work_dead ON work (tenant) WHERE state = 2;

-- Audit entries; place is 0 until sealed.
CREATE TABLE entry (
	tx     INTEGER PRIMARY KEY,
	n      INTEGER NOT NULL DEFAULT 0,
	tenant INTEGER NOT NULL,
	id     TEXT NOT NULL,
	writer TEXT NOT NULL,
	at     INTEGER NOT NULL,
	place  INTEGER NOT NULL,
	hash   BLOB NOT NULL,
	body   BLOB NOT NULL,
	UNIQUE (tenant, id)
);
CREATE INDEX entry_at ON entry (tenant, at, id);
CREATE INDEX entry_open ON entry (tenant) WHERE place = 0;
CREATE UNIQUE INDEX entry_place ON entry (tenant, writer, place) WHERE place > 0;
CREATE TABLE writer (
	tenant INTEGER NOT NULL,
	writer TEXT NOT NULL,
	PRIMARY KEY (tenant, writer)
) WITHOUT ROWID;
CREATE TABLE checkpoint (
	tenant INTEGER NOT NULL,
	writer TEXT NOT NULL,
	place  INTEGER NOT NULL,
	body   BLOB NOT NULL,
	PRIMARY KEY (tenant, writer, place)
) WITHOUT ROWID;
