package session

// HoldArgon2Slot keeps every comparison with an older hash waiting until release is called.
func HoldArgon2Slot() (release func()) {
	argon2Slot <- struct{}{}
	return func() { <-argon2Slot }
}
