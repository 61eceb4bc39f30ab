package web

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"rapport/fhir"
	"rapport/fhir/rest"
)

// readBody reads what was sent, within the limit, and answers the request when it
// is not JSON as we take it. mediaType is what the caller is told to send.
func readBody(g *gin.Context, mediaType string) ([]byte, bool) {
	refuse := func(detail string) ([]byte, bool) {
		answer(g, rest.Response{Status: http.StatusUnsupportedMediaType, Body: rest.Outcome(&fhir.Error{Code: fhir.NotSupported, Detail: detail})})
		return nil, false
	}
	if len(g.Request.Header.Values("Content-Encoding")) > 0 {
		return refuse("Compressed bodies are not taken; send plain JSON.")
	}
	body, err := io.ReadAll(g.Request.Body)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		answer(g, rest.Failure(fhir.Errorf(fhir.TooLong, "", "The body may have up to %d bytes; send it in parts.", large.Limit)))
		return nil, false
	case err != nil:
		answer(g, rest.Failure(&fhir.Error{Code: fhir.Invalid, Detail: "The body could not be read to its end; send it again."}))
		return nil, false
	}
	if len(body) > 0 && !is(mediaType, g.Request.Header.Values("Content-Type")) {
		return refuse("Send UTF-8, as Content-Type: " + mediaType + ".")
	}
	return body, true
}

// is reports whether a body says that it is of a media type, in UTF-8. JSON may say
// nothing, and call itself by FHIR's name or its own.
func is(mediaType string, h []string) bool {
	json := strings.HasSuffix(mediaType, "/json") || mediaType == "application/fhir+json"
	if len(h) != 1 {
		return len(h) == 0 && json
	}
	t, params, err := mime.ParseMediaType(h[0])
	if err != nil || t != mediaType && !(json && (t == "application/json" || t == "application/fhir+json")) {
		return false
	}
	charset, said := params["charset"]
	return !said || strings.EqualFold(charset, "utf-8") || strings.EqualFold(charset, "us-ascii")
}

// accepts reports whether the caller takes JSON, and answers the request when not.
func accepts(g *gin.Context, mediaType string) bool {
	if takesJSON(g.Request.Header.Values("Accept")) {
		return true
	}
	answer(g, rest.Response{Status: http.StatusNotAcceptable, Body: rest.Outcome(
		&fhir.Error{Code: fhir.NotSupported, Detail: "Only JSON is served: send Accept: " + mediaType + "."})})
	return false
}

func takesJSON(h []string) bool {
	return takes(h, "*/*", "application/*", "application/json", "application/fhir+json")
}

// takes reports whether an Accept header, if there is one, lists one of some types.
func takes(h []string, types ...string) bool {
	said := false
	for part := range strings.SplitSeq(strings.Join(h, ","), ",") {
		t, params, _ := strings.Cut(part, ";")
		if t = strings.ToLower(strings.TrimSpace(t)); t == "" {
			continue
		}
		said = true
		if slices.Contains(types, t) && !refused(params) {
			return true
		}
	}
	return !said
}

// refused reports whether a media type is listed with quality zero.
func refused(params string) bool {
	for p := range strings.SplitSeq(params, ";") {
		name, v, _ := strings.Cut(strings.ReplaceAll(p, " ", ""), "=")
		if strings.EqualFold(name, "q") && strings.Trim(v, "0.") == "" && v != "" {
			return true
		}
	}
	return false
}
