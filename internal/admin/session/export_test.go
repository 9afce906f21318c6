package session

// Busy has as many keys compared as may be at a time, until the function that it
// returns is called.
func Busy() (end func()) {
	for range cap(comparing) {
		comparing <- struct{}{}
	}
	return func() {
		for range cap(comparing) {
			<-comparing
		}
	}
}
