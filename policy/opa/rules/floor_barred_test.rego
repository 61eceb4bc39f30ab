package test.floor.barred

import data.gateway.floor.barred
import data.test.sample

test_other_consents_pass if {
	every consent in {"none", "permit", "deny"} {
		barred.holds with input as sample.with_changes({"role": "therapist", "consent": consent})
	}
}

test_whoever_is_shut_out_by_name_stays_out if {
	every role in {"therapist", "admin", "intake", "ehr", "partner", "auditor"} {
		not barred.holds with input as sample.with_changes({"role": role, "consent": "barred"})
	}
}

test_the_client_is_not_shut_out if {
	every role in {"patient", "integration"} {
		barred.holds with input as sample.with_changes({"role": role, "consent": "barred"})
	}
}
