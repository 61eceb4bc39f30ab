// Package bulk exports what a caller may see as NDJSON files, by jobs that run apart
// from requests.
//
// Source: https://hl7.org/fhir/uv/bulkdata/STU3/export.html (Bulk Data 3.0.0)
package bulk
