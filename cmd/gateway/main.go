// Command gateway is Rapport: a FHIR R4 interoperability gateway for psychotherapy.
package main

func main() {}
