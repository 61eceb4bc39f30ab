# METADATA
# title: What may go along with a referral
# description: |
#   A referral for treatment needs no consent to share and is stopped by one that
#   denies it. Records of a substance use programme go only where a consent permits
#   (42 CFR Part 2), what must not be disclosed does not go at all.
package gateway.rule.release

allow if {
	package_item
	input.group in {"setting", "contact", "frame", "clinical"}
	input.consent == "permit"
}

allow if {
	package_item
	input.group in {"setting", "contact", "frame", "clinical"}
	input.consent == "none"
	every label in input.labels {
		every programme in {"42CFRPart2", "42CFRPart2CD"} {
			label != programme
		}
	}
}

package_item if {
	input.role == "partner"
	input.verb == "disclose"
	input.tie == "released"
	every label in input.labels {
		every kept in {"OTHER", "NODSCLCD", "NOAUTH"} {
			label != kept
		}
	}
}
