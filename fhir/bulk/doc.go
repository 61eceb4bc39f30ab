// Package bulk exports what a caller may see as NDJSON files, by jobs that run apart
// from requests: Bulk Data Access 3.0.0.
//
//   - export.go: [Exports], its [Config] and the operations that it serves.
//   - ask.go, start.go: a kick-off request, read and taken up. answer.go: status,
//     manifest, files, cancellation.
//   - job.go: a job as it is kept, in memos of the store; the list of all jobs.
//   - run.go: who runs a job, and what becomes of it. gather.go: reading, by pages.
//   - treatment.go: what shapes an export for its recipient; treat.go, sort.go do it.
//   - file.go: files in sealed chunks.
//
// Everything is read through the gate of the caller, which for a job is made again from
// what its token granted ([Config].GateFor), page by page: a consent withdrawn while a
// job runs counts from the next page, a client that is configured no more ends it. The
// gate is asked once more, resource by resource, before a file is given.
//
// # A job's life
//
// A kick-off writes the job down and queues a work of the kind [Kind]. Whoever leases it
// ([Exports].Run) takes the job's lock and goes through its phases: it gathers the types
// page by page into files; it makes of them what may leave, if what leaves is to be
// treated, else lists what was deleted since; it records every file; then the files are
// there. After each stretch of 8 MiB it brings the files to disk and then writes down,
// with the cursor, how much of them counts. A process that dies is followed by one that
// goes on from there, in files of its own, and removes what nothing speaks of.
//
// # Limits
//
// Served: _type, _since, _outputFormat, patient (in a POST). Refused, or left out with a
// note in the error file if the caller is lenient: _typeFilter, _elements, _until,
// includeAssociatedData, organizeOutputBy, allowPartialManifests.
//
// The folder must be shared by the processes that share the store. What lies there is
// lost with the keyring, as it should be.
//
// Deletions are listed at system level alone: a tombstone does not say whose it was. What
// was deleted or taken away between the beginning of a job and the page that would have
// held it is not in its files; what was changed is, as it was.
//
// # Decisions
//
// The state lies in the store, the files on disk: a file is only what the state says of
// it. So nothing need be repaired after a crash, and a process that was held up for
// longer than its lock cannot write into a job that another one has taken up: its parts
// have names of their own, and its next note of how far it got is refused.
//
// A lease cannot be made longer, and a job may take hours. The work is put back as soon as
// the job is locked, and is what looks after it: if the lock has run out when the work
// comes up again, the job is taken up.
//
// transactionTime is the beginning of the job. What was changed since is exported in the
// version of that time, so that the next _since finds the change and nothing is missed
// or told too early. A snapshot held for hours was rejected: it keeps a store from
// cleaning up.
//
// A job belongs to its client: to anybody else, its status, cancellation and files are as
// those of a job that does not exist. Its id is random; the token is needed all the same.
//
// A file of which one resource may not leave any more is refused whole. Leaving its lines
// out would tell whose they were, and break the manifest's counts.
//
// For research a treatment works on what was gathered, not on the store: it finds the same
// each time that it is asked, and its result is made as a whole or anew. The rules know
// such an export under another act (fhir.Study) than that of identified data, so that no
// slip here or in the composition root hands the one out for the other. Its lines are in
// the order of the pseudonyms, its manifest holds the release's own time, and no id of
// ours, the Group's neither; while it is made nobody is told how much was read for it.
//
// Source: https://hl7.org/fhir/uv/bulkdata/STU3/export.html
package bulk
