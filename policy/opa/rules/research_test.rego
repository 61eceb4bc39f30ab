package test.rule.research

import data.gateway.rule.research
import data.test.sample

yes := sample.with_changes({
	"role": "researcher", "verb": "study", "purpose": "HRESCH",
	"tie": "anyone", "consent": "permit", "basis": "",
})

test_who_agreed_is_studied if {
	every group in {"contact", "frame", "clinical"} {
		research.allow with input as object.union(yes, {"group": group})
	}
}

test_no_further if {
	every group in {"contact", "frame", "clinical"} {
		every change in [
			{"role": "ehr"}, {"role": "integration"}, {"verb": "read"}, {"verb": "export"},
			{"tie": "related"}, {"tie": "loose"},
			{"consent": "none"}, {"consent": "deny"}, {"consent": "barred"},
			{"labels": ["OTHER"]}, {"labels": ["NODSCLCD"]}, {"labels": ["NOAUTH", "PSY"]},
		] {
			not research.allow with input as object.union(object.union(yes, {"group": group}), change)
		}
	}
	every group in {"record", "note"} {
		not research.allow with input as object.union(yes, {"group": group})
	}
}

waived := object.union(yes, {"consent": "none", "basis": "waiver"})

test_a_waiver_stands_for_silence if research.allow with input as waived

test_a_waiver_stands_for_no_more if {
	every change in [
		{"consent": "deny"}, {"consent": "barred"}, {"basis": "consent"}, {"basis": ""},
		{"labels": ["PSY", "42CFRPart2"]}, {"labels": ["42CFRPart2CD"]},
	] {
		not research.allow with input as object.union(waived, change)
	}
}

instruments := object.union(yes, {"group": "setting", "tie": "loose", "consent": "none"})

test_instruments_go_along if research.allow with input as instruments

test_instruments_no_further if {
	every change in [{"role": "ehr"}, {"verb": "read"}, {"tie": "anyone"}, {"group": "clinical"}] {
		not research.allow with input as object.union(instruments, change)
	}
}
