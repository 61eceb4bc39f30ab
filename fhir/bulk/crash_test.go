package bulk

// ErrCrash is what a crash point answers with.
var ErrCrash = errCrash

// CrashAt makes f be asked at each crash point: an error of it ends the work there and
// then, as a killed process would, with nothing written down or tidied after.
func (e *Exports) CrashAt(f func(point string) error) { e.crashed = f }
