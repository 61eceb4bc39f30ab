-- +goose Up
CREATE TABLE note (
	tenant TEXT NOT NULL,
	id     TEXT NOT NULL,
	sealed BLOB NOT NULL,
	PRIMARY KEY (tenant, id)
) WITHOUT ROWID;
