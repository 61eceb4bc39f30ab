// Package site compiles site files: what the columns and codes of a practice's
// system mean, as YAML with small CEL expressions, into mappings from rows to the
// records of package practice. No site writes FHIR, and none writes a program.
//
//   - files/ holds the mappings that the product ships.
//   - load.go: [Embedded], [Load] and [Parse]; a file may extend one of the product.
//   - yaml.go, fault.go: YAML with places; faults with file, line and column.
//   - table.go, relation.go: tables, their keys, and how rows find one another.
//   - field.go, text.go, date.go, codes.go, expr.go: where a field's value comes
//     from, and how text becomes a date, a number or a code.
//   - kinds.go, shape.go: a record's fields against the schema of its kind.
//   - row.go: what goes in and what comes out.
//
// # A site file
//
//	site: my-practice                  # its name; with version in every Provenance
//	version: 1
//	system: urn:example:my-practice    # where keys are unique
//	timezone: Europe/Zurich            # or unknown: then only dates are written
//	source: {encoding: windows-1252, delimiter: semicolon, null: ["", "n/a"]}
//	codes:
//	  gender: {unmatched: quarantine, map: {f: female, m: male, "9": }}
//	tables:
//	  clients:
//	    columns: [id, surname, sex, born, notes]
//	    key: id
//	    ignore: [notes]
//	    emit:
//	      - kind: client
//	        fields:
//	          name: {fields: {family: surname}}
//	          gender: {from: sex, code: gender}
//	          birthDate: {from: born, date: DD.MM.YYYY}
//
// A field is a column's name, or one of from, const, expr, key, ref, split,
// columns, join, list, fields, with when and required; from and expr are read by
// null, before, and one of code, date and number, with a default.
//
// # Decisions
//
// Load is compile. Each column that an expression names is checked against the
// header that the file declares, each field against the record's JSON Schema, each
// code table, kind and join by its name; all faults are told at once. What does not
// compile cannot run, and what ran cannot meet a column that is not there.
//
// Every declared column is used or named under ignore: what is left out is left
// out on purpose, and a reviewer sees it.
//
// All text of a row is text: 09 is no number and 1.0 no version. YAML's own types
// count in code tables alone, and only where they are JSON's too.
//
// CEL, not a language of our own: it has a specification, a type checker that
// names line and column, and an upper bound on cost. expr-lang is faster by half;
// a clinic has less than a million rows.
//
// A practice's file that extends one of the product says what is local: time zone,
// encoding, meaning of codes. It cannot change which column becomes what, since
// the ids of records rest on that.
//
// timezone has no default. A time of day without a zone is no moment; a guess
// would move sessions by hours.
//
// A code that no table knows stops its row, not the run, unless the table says
// otherwise. A refusal shows what can only be a code, at most six characters; text
// never.
package site
