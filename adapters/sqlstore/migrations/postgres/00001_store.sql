-- +goose Up
CREATE TABLE tenant (
	tenant BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	name   TEXT COLLATE "C" NOT NULL UNIQUE
);

-- Texts that many rows share: types, parameters, systems, classes, profiles.
CREATE TABLE term (
	term   BIGINT GENERATED ALWAYS AS IDENTITY,
	tenant BIGINT NOT NULL,
	text   TEXT COLLATE "C" NOT NULL,
	PRIMARY KEY (tenant, term),
	UNIQUE (tenant, text)
);

-- Classes (kind 1) and profiles (kind 2) in use.
CREATE TABLE landscape (
	tenant BIGINT NOT NULL,
	kind   INTEGER NOT NULL,
	term   BIGINT NOT NULL,
	PRIMARY KEY (tenant, kind, term)
);

CREATE SEQUENCE res_rid INCREMENT 64;

-- One row for each key that was written (state 1 there, 2 deleted) or is only
-- referred to (state 0). about counts its patients, patient is
-- the one where there is one, held says which tables have rows of it.
CREATE TABLE res (
	rid     BIGINT NOT NULL,
	tenant  BIGINT NOT NULL,
	type    BIGINT NOT NULL,
	id      TEXT COLLATE "C" NOT NULL,
	state   INTEGER NOT NULL,
	version BIGINT NOT NULL,
	updated BIGINT NOT NULL,
	class   BIGINT NOT NULL,
	about   INTEGER NOT NULL,
	patient BIGINT NOT NULL,
	held    INTEGER NOT NULL,
	facts   BYTEA NOT NULL,
	PRIMARY KEY (tenant, rid),
	UNIQUE (tenant, id, type)
);
CREATE INDEX res_type ON res (tenant, type, rid) WHERE state = 1;
CREATE INDEX res_updated ON res (tenant, type, updated, rid) WHERE state = 1;

-- Every version. (tx, n) is its place in the order of all commits: the transaction's
-- number, and the place within it. A tenant's writers come one after the other.
CREATE TABLE version (
	tx      BIGINT NOT NULL,
	n       BIGINT NOT NULL,
	tenant  BIGINT NOT NULL,
	rid     BIGINT NOT NULL,
	type    BIGINT NOT NULL,
	version BIGINT NOT NULL,
	updated BIGINT NOT NULL,
	state   INTEGER NOT NULL,
	class   BIGINT NOT NULL,
	facts   BYTEA NOT NULL,
	body    BYTEA NOT NULL,
	PRIMARY KEY (tenant, rid, version)
);
CREATE INDEX version_tenant ON version (tenant, tx, n);
CREATE INDEX version_type ON version (tenant, type, tx, n);

-- Whom a resource is about, and whom it names.
CREATE TABLE about (
	tenant  BIGINT NOT NULL,
	rid     BIGINT NOT NULL,
	patient BIGINT NOT NULL,
	type    BIGINT NOT NULL,
	PRIMARY KEY (tenant, rid, patient)
);
CREATE INDEX about_patient ON about (tenant, patient, type, rid);
CREATE TABLE party (
	tenant BIGINT NOT NULL,
	rid    BIGINT NOT NULL,
	actor  BIGINT NOT NULL,
	type   BIGINT NOT NULL,
	PRIMARY KEY (tenant, rid, actor)
);
CREATE INDEX party_actor ON party (tenant, actor, type, rid);

-- What is known of patients.
CREATE TABLE patient (
	tenant  BIGINT NOT NULL,
	rid     BIGINT NOT NULL,
	profile BIGINT NOT NULL,
	until   BIGINT NOT NULL,
	PRIMARY KEY (tenant, rid)
);
CREATE TABLE relation (
	tenant  BIGINT NOT NULL,
	patient BIGINT NOT NULL,
	actor   BIGINT NOT NULL,
	rid     BIGINT NOT NULL,
	n       BIGINT NOT NULL,
	episode BIGINT NOT NULL,
	ended   BIGINT NOT NULL,
	PRIMARY KEY (tenant, patient, actor, rid, n)
);
CREATE INDEX relation_rid ON relation (tenant, rid);
CREATE INDEX relation_actor ON relation (tenant, actor, ended, patient);

-- The search index, a table a kind. Each has its rows by value and by resource.
CREATE TABLE ix_token (
	tenant BIGINT NOT NULL,
	type   BIGINT NOT NULL,
	param  BIGINT NOT NULL,
	code   TEXT COLLATE "C" NOT NULL,
	system BIGINT NOT NULL,
	rid    BIGINT NOT NULL,
	PRIMARY KEY (tenant, type, param, code, system, rid)
);
CREATE INDEX ix_token_rid ON ix_token (tenant, rid, param);
CREATE TABLE ix_ref (
	tenant BIGINT NOT NULL,
	type   BIGINT NOT NULL,
	param  BIGINT NOT NULL,
	target BIGINT NOT NULL,
	url    TEXT COLLATE "C" NOT NULL,
	rid    BIGINT NOT NULL,
	PRIMARY KEY (tenant, type, param, target, url, rid)
);
CREATE INDEX ix_ref_rid ON ix_ref (tenant, rid, param);
CREATE INDEX ix_ref_target ON ix_ref (tenant, target) WHERE target <> 0;
CREATE TABLE ix_date (
	tenant BIGINT NOT NULL,
	type   BIGINT NOT NULL,
	param  BIGINT NOT NULL,
	low    BIGINT NOT NULL,
	high   BIGINT NOT NULL,
	rid    BIGINT NOT NULL,
	PRIMARY KEY (tenant, type, param, low, high, rid)
);
CREATE INDEX ix_date_rid ON ix_date (tenant, rid, param);
CREATE TABLE ix_string (
	tenant BIGINT NOT NULL,
	type   BIGINT NOT NULL,
	param  BIGINT NOT NULL,
	folded TEXT COLLATE "C" NOT NULL,
	text   TEXT COLLATE "C" NOT NULL,
	rid    BIGINT NOT NULL,
	n      BIGINT GENERATED ALWAYS AS IDENTITY,
	PRIMARY KEY (tenant, rid, param, n)
);
CREATE INDEX ix_string_value ON ix_string (tenant, type, param, folded, rid);
CREATE TABLE ix_uri (
	tenant BIGINT NOT NULL,
	type   BIGINT NOT NULL,
	param  BIGINT NOT NULL,
	url    TEXT COLLATE "C" NOT NULL,
	rid    BIGINT NOT NULL,
	PRIMARY KEY (tenant, type, param, url, rid)
);
CREATE INDEX ix_uri_rid ON ix_uri (tenant, rid, param);
CREATE TABLE ix_number (
	tenant BIGINT NOT NULL,
	type   BIGINT NOT NULL,
	param  BIGINT NOT NULL,
	num    DOUBLE PRECISION NOT NULL,
	system BIGINT NOT NULL,
	code   TEXT COLLATE "C" NOT NULL,
	rid    BIGINT NOT NULL,
	PRIMARY KEY (tenant, type, param, num, system, code, rid)
);
CREATE INDEX ix_number_rid ON ix_number (tenant, rid, param);

CREATE TABLE memo (
	tenant  BIGINT NOT NULL,
	space   TEXT COLLATE "C" NOT NULL,
	key     TEXT COLLATE "C" NOT NULL,
	value   BYTEA NOT NULL,
	expires BIGINT NOT NULL,
	version BIGINT NOT NULL,
	PRIMARY KEY (tenant, space, key)
);
CREATE INDEX memo_expires ON memo (tenant, expires);

-- Outgoing work: state 0 waiting or leased, 1 done, 2 dead. What is done stays as
-- an id, so that it is not done twice.
CREATE TABLE work (
	seq     BIGINT GENERATED ALWAYS AS IDENTITY,
	tenant  BIGINT NOT NULL,
	id      TEXT COLLATE "C" NOT NULL,
	lane    TEXT COLLATE "C" NOT NULL,
	kind    TEXT COLLATE "C" NOT NULL,
	body    BYTEA NOT NULL,
	due     BIGINT NOT NULL,
	born    BIGINT NOT NULL,
	attempt INTEGER NOT NULL,
	state   INTEGER NOT NULL,
	note    TEXT COLLATE "C" NOT NULL,
	until   BIGINT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE INDEX work_lane ON work (tenant, kind, lane, seq) WHERE state = 0;
CREATE INDEX work_dead ON work (tenant, seq) WHERE state = 2;

-- Audit entries; place is 0 until sealed.
CREATE TABLE entry (
	tx     BIGINT NOT NULL,
	n      BIGINT NOT NULL,
	tenant BIGINT NOT NULL,
	id     TEXT COLLATE "C" NOT NULL,
	writer TEXT COLLATE "C" NOT NULL,
	at     BIGINT NOT NULL,
	place  BIGINT NOT NULL,
	hash   BYTEA NOT NULL,
	body   BYTEA NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE INDEX entry_at ON entry (tenant, at, id);
CREATE INDEX entry_open ON entry (tenant, tx, n) WHERE place = 0;
CREATE UNIQUE INDEX entry_place ON entry (tenant, writer, place) WHERE place > 0;
CREATE TABLE writer (
	tenant BIGINT NOT NULL,
	writer TEXT COLLATE "C" NOT NULL,
	PRIMARY KEY (tenant, writer)
);
CREATE TABLE checkpoint (
	tenant BIGINT NOT NULL,
	writer TEXT COLLATE "C" NOT NULL,
	place  BIGINT NOT NULL,
	body   BYTEA NOT NULL,
	PRIMARY KEY (tenant, writer, place)
);

-- Process notes, apart.
CREATE SCHEMA process_notes;
CREATE TABLE process_notes.note (
	tenant TEXT COLLATE "C" NOT NULL,
	id     TEXT COLLATE "C" NOT NULL,
	sealed BYTEA NOT NULL,
	PRIMARY KEY (tenant, id)
);
