// Package monitoring says which questionnaire is due when, and sees to it that an
// overdue one comes before the therapist.
//
// What is due is not stored. It follows, whenever somebody asks, from what the asker
// may see: active CarePlans, the courses of therapy that they belong to, and the
// responses that came. [Rules.Due] lists it; [Monitor.Once] raises a Task where a
// follow-up is overdue and puts it to rest when the response came or the plan no
// longer asks for it.
//
//   - schedule.go: how often an activity asks, and the calendar.
//   - client.go: all that is asked of one client, and the last response to each.
//   - due.go: lists, by pages, through a caller's gate.
//   - monitor.go, task.go: the background pass and its Tasks.
//
// # The shape that is read
//
// A CarePlan with status active, CarePlan.activity.detail that names the
// Questionnaire in instantiatesCanonical and has a scheduledTiming with
// repeat.period and periodUnit. What mapping makes of a practice's plan has it on the
// CarePlan of a phase, part of that of the plan; CarePlans of others have it where
// they like. Source: https://hl7.org/fhir/R4/careplan.html, Timing at
// https://hl7.org/fhir/R4/datatypes.html#Timing.
//
// # Decisions
//
// The first response is due when the phase begins, each further one an interval after
// the last response, not on a fixed grid: whoever answers on Thursday what was due on
// Monday is not asked again the next Monday.
//
// The day is the grain, in the practice's time zone: a response at 23:30 belongs to
// the day on which it was given there. Months are those of the calendar; a month after
// 31 January is the last day of February.
//
// Overdue begins some days after due (three unless configured): a weekend is no
// failure to follow up.
//
// A client whose course of therapy has ended, is on hold, or may not be seen is asked
// nothing, whatever the plan says. So is one whose plan was replaced by another.
//
// Responses of every version of an instrument count, and scores that a source states
// without items; what was broken off, taken back, or is dated in the future does not.
// Nor does what somebody else answered than the questionnaire is for, nor, where plan and
// answer both name a course of therapy, what is of another: neither is what was asked.
//
// A Task belongs to one due day: its id follows from client, instrument and due day,
// so that a pass that runs twice raises one, and one that a person has closed stays
// closed until the next is overdue. One that a pass has put to rest is raised again if
// the response turns out to be an error. It says that a questionnaire is overdue and not
// which: Tasks are read by those who run the practice, too.
package monitoring
