// Package exchange carries referrals to partners and answers back.
//
//   - state.go: which status of a Task may follow which, and by whom.
//   - business.go: what a Task says beside its status: scheduled, not come, ….
//   - request.go: the ServiceRequest, in step with its Task.
//   - follow.go: what a write of a Task sets going, in the write's transaction.
//   - courier.go: takes work from the outbox and brings it to the partner.
//   - deliver.go, withdraw.go: a referral, and its end by the one who sent it. stop.go: by
//     the one who has begun, when asked.
//   - answer.go: status and output of the receiver's Task, back to the sender's.
//   - gather.go: what belongs to a referral; the partner's Release decides what of it goes.
//   - pack.go: a transaction Bundle that can be sent any number of times. message.go: the
//     same as a message. summary.go: the referral note that goes along in either.
//   - reach.go: which way a partner takes packages, by its own CapabilityStatement.
//   - alone.go: one referral of a client at a time, where no condition keeps two apart.
//   - parcel.go: single creates, each once; probe.go, person.go: what is looked for first.
//   - recall.go: the end of a referral at a partner that has no Task of it.
//   - inbox.go, inbox_answer.go: $process-message, for referrals that come as messages.
//   - summarise.go: $referral-summary, a referral as a document or a page.
//   - ledger.go: what is known of a referral's way; its Provenance.
//   - again.go: what a referral that is written again leaves as it is.
//   - outbox.go: what an operator sees of it, sets going again or drops.
//   - watch.go: what is overdue, told and then made somebody's task; notice.go: the words.
//   - claim.go: of two referrals of a client, which brings what both carry; doubt.go: what
//     a person must say.
//   - identity.go: what stays as it was once a referral is sent.
//   - memo.go: how what is known is kept.
//   - share.go: which version of what each partner may have; correct.go: later ones;
//     deleted.go: that it is gone; renew.go: the note, when it reads otherwise.
//
// Both sides are this same package. The sender's Task and the receiver's copy are
// paired by an identifier whose system is the sender's FHIR base + "/Task" and whose
// value is the Task's id there; every other resource of a package carries such an
// identifier too. By it a conditional create recognises what has arrived already, so
// that delivery may be repeated until it is known to have succeeded, and by it a
// receiver's resources find home when the answer refers to them. Only an Organization
// goes by the identifier that both sides know it by, where it has one.
//
// # Who may do what
//
// A referral's Task whose owner is a configured partner is the house's own: what the
// house does to it is an act of the sender, what that partner does one of the
// receiver. A Task with an identifier of a partner's Tasks is a copy, and it is the
// other way round; it may carry such an identifier only if that partner brought it.
// Whose act a write is, [fhir.Written] says. A Task may begin in any state: one that
// was on its way before it was written here is a record, and only what becomes
// «requested» is sent.
//
// # Decisions
//
// A reference to something that is not part of the package becomes a Reference
// with data-absent-reason «masked»: a mandatory reference stays valid, and the
// receiver learns neither an id nor whether the thing exists. Rejected: dropping the
// element, which breaks mandatory ones and hides that something was withheld.
//
// A Consent is not sent: the receiver's gateway would act by it, and could not tell
// whom it names.
//
// The receiver's courier writes to the sender's Task, not the sender's courier to
// itself by polling: the sender sees the answer at once, and who wrote it stands in
// the sender's audit as the partner. Each step is told in turn, as the version that it
// was; what was told before, or is overtaken, changes nothing.
//
// A cancellation that crosses the beginning of the work wins: the sender's Task has
// ended, and what has ended stays so. One that crosses its end does not, nor does the
// end; both works are given up and name the state that they met, for people to settle.
//
// Whoever has begun is asked to stop by a Task of its own (code abort), since its answer may
// be no. To accept it cancels the referral in the same transaction: two steps would leave a
// receiver that agreed and went on. It goes without its reason where consent was withdrawn
// since, as a cancellation does; and in the lane of the referral, behind its delivery.
//
// A ServiceRequest is written by its sender alone, in the transaction of the step that
// moves it; where a partner takes the step, which may not read it, by the courier from a
// work of that transaction. What the receiver rejects, fails or gives up leaves it
// active: the sender asks somebody else with a new Task, or revokes it. Rejected: the
// receiver's copy following by itself, which would be a second author.
//
// An Organization is created only if the partner knows none of its identifiers: the
// receiver's own, which the Task names as owner, must not be made a second time.
//
// A deadline that is a date ends with that day in the sender's own calendar, the zone of its
// tenant: by it the practice set the date, and nobody else is reminded. Rejected: the day in
// UTC, which ends within office hours in some parts of the world.
//
// An answer that is overdue changes no status: that would be a word of the receiver's.
// The sender is reminded by a Communication, and once as much time has gone by a Task
// says that somebody must act, which ends by itself when the answer comes. When a
// message is given up, a Task on that side says so: where a cancellation crosses an end,
// on both. Nothing is given up in silence.
//
// What a partner has of us follows what becomes of it here: before a resource goes, its
// version is noted for that partner, and whatever is written to it later goes there as
// an update of the elements that changed, under If-Match, into the partner's present
// version. So what the partner added stays, and a correction is no second copy. The
// version noted is the oldest that may have arrived, so that nothing that happens
// between sending and hearing of it is missed. Later versions are found in the
// tenant's feed of changes, not in the write's transaction: no writer waits for it.
// Rejected: sending the whole resource again, which undoes what the receiver wrote.
//
// What is deleted here stands at the partner as entered-in-error, in its last version: a
// session that was none, a technique that was not used, answers that were taken back. It
// is a later version like any other, so consent, the note and what the partner added are
// treated alike, and what is there again is sent again into the same resource. Rejected:
// deleting it there, which takes from the receiver what it may have acted upon. A Patient
// or RelatedPerson has no such status, and active false would say more than is known here;
// a person tells.
//
// A later version that consent keeps back is noted under its client, and goes when a
// Consent of that client changes so that it may.
//
// A referral that was sent stays the same one: another receiver, request, client or code
// is a new Task, and so is one under an id that was deleted. Its partner pairs its copy
// by that id, and would take the one for the other.
//
// The note follows its resources, within a minute or so: it is made again of what was
// delivered and of nothing that came since, and goes only if people would read something
// else in it. Where a partner lets nobody change a document, another one replaces it.
// What a partner of single creates has in the note alone is corrected in it, and so is
// the client: the patient there is the partner's own. What it has by itself and lets
// nobody change is left to a person, who is told.
//
// A partner that does not accept our client is tried again as one that is down is:
// keys are changed on two sides and never at one moment.
//
// A partner that takes no transaction gets single creates of what it declares to create.
// There nothing keeps a create from being made twice, so each is noted before it is sent;
// one whose answer was lost is looked for by our identifier, then among what lies there
// of the patient, and only what is not there after five minutes is sent again. Where that
// cannot be decided the work waits for a person, who says what is there by Settle. The
// patient must be found there, by an identifier or by name and day of birth, exactly one;
// created is one only where none was found and the partner declares to create patients.
// Organisations and people of the practice are not created there. A resource that the
// partner refuses is left out and noted, unless there is no referral without it.
//
// What two referrals of a client carry is brought by one of them, to whose parcel the
// other one looks: no condition of the partner's keeps it from being made twice. The
// parcel is written before the claim, so that who finds a claim finds what became of it.
//
// A resource with a modifier extension does not go by single create: some partners refuse
// it, and without it it would say something else. It stands in the note.
//
// A message is stored by the router as the transaction that it could have been, with the
// same identifiers, so both wire forms end equal and neither has rules of its own. It is
// refused by HTTP status and OperationOutcome, as anything else is, not by a message with
// «fatal-error»: whoever sends tries again by the same table. The id of its answer follows
// from its own.
//
// # Limits
//
// A partner that makes no Task of a referral answers by other ways than these; that it is
// overdue is noticed here as of any other. Whether it takes HTML and FHIR as attachments
// its statement does not say; one that wants PDF alone refuses the note, and a person sees
// that.
//
// A Task that was sent, and what it asks for, are deleted only when it has ended. While the
// ServiceRequest of a referral is deleted or an error, its note is not made again.
//
// A partner that takes transactions and declares no conditional create is looked at first,
// by one referral of a client at a time. What two clients share (who treats them both) may be
// there twice where their first referrals cross, and so may anything whose type has no search
// by identifier there, or where the statement is not asked for (delivery: transaction). Of two
// notes that say the same and are lost on the same day, a partner that keeps no identifiers
// may get one.
//
// Of what the sender changes in a Task that was sent, beside its status, the receiver is
// told the priority, the restriction and that it is asked to stop (businessStatus 5.2). A
// Task that asks to stop goes to partners that take a transaction and show us their Task;
// the people of others are told by ours.
package exchange
