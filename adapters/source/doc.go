// Package source reads what a practice's system hands over into the tables and
// rows that mapping/intake imports: a folder of CSV files, a zip of them, a workbook,
// or one CSV file. It knows bytes, not meanings; those are in the site file.
//
//   - open.go: [Open] looks at a path and chooses.
//   - folder.go, zip.go, xlsx.go: the kinds, each with its limits.
//   - csv.go: rows out of CSV, with the line of each and what is wrong with the broken ones.
//   - text.go: byte order marks and character sets.
//
// # Limits
//
// A table may unpack to 2 GiB, a zip hold 1,000 entries and expand 250-fold (past
// its first 16 MiB; one that says so of itself is refused before a row is read, one
// that lies ends where it said it would), a row hold 1 MiB, 1,000 lines and 2,000
// columns. Nothing is ever written to disk, so a path inside a zip cannot lead
// anywhere; only its last part names the table, and two entries of one name are
// refused. The texts that a workbook's cells share are kept in memory, at most 64 MiB
// of them; its rows are not.
//
// # Decisions
//
// A workbook is read by a reader of our own: of its 5,000 pages of specification an
// upload needs sheets, cells and shared texts, as a stream. A cell that holds a
// number has lost the zeros in front of it; rows say which cells are numbers, and
// the site file how many digits there were. One that is not whole is read in the 15
// digits that the sheet shows and a CSV file of it holds, not in the 17 of the machine;
// a whole one, and a text, in all its digits. A cell that is formatted as a date
// rejects its row: what the person saw depends on the machine it was shown on.
//
// CSV is read by a reader of our own rather than by encoding/csv, which is its
// oracle in a fuzz test: after a quote that is never closed the standard reader
// has swallowed the rest of the file, and one broken row must keep the others.
// Ours gives the row up after 1,000 lines, names its line and goes on behind it.
//
// The delimiter is found in the header unless the site file names it: of comma,
// semicolon, tab and bar the one that splits the header most often. The header is
// then compared with what the site file declares, so a wrong guess cannot pass.
//
// A file that is not UTF-8 is not guessed at: Latin-1 and its cousins decode any
// bytes to something. Rows with other bytes are rejected with a line that says
// which key of the site file declares the encoding. A byte order mark is a statement,
// not a guess, and is honoured.
package source
