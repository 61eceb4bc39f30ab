package test.floor.purpose

import data.gateway.floor.purpose
import data.test.sample

test_other_purposes_pass if {
	every code in {"TREAT", "HPAYMT", "", "BTG"} {
		purpose.holds with input as sample.with_changes({"purpose": code})
	}
}

test_research_sees_no_person if {
	every code in {
		"HRESCH", "BIORCH", "CLINTRCH", "CLINTRCHNPC", "CLINTRCHPC",
		"PRECLINTRCH", "DSRCH", "POARCH", "TRANSRCH",
	} {
		every group in {"contact", "frame", "clinical", "record"} {
			not purpose.holds with input as sample.with_changes({"purpose": code, "group": group})
		}
	}
}

test_the_deidentified_export_is_for_research_alone if {
	every group in {"setting", "contact", "frame", "clinical"} {
		purpose.holds with input as sample.with_changes({"verb": "study", "purpose": "HRESCH", "group": group})
		every code in {"TREAT", "HPAYMT", "", "BTG"} {
			not purpose.holds with input as sample.with_changes({"verb": "study", "purpose": code, "group": group})
		}
	}
}

test_research_sees_instruments if {
	purpose.holds with input as sample.with_changes({"purpose": "HRESCH", "group": "setting"})
}
