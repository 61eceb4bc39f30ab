// Package policy decides who may do what, and is the only maker of a [fhir.Gate].
package policy
