package store

// dialect has the true differences between the databases.
type dialect struct {
	name     string               // also the migrations folder
	goose    string               // what the migration library calls it
	lockFile string               // held while migrating; "" where the database itself has locks
	keep     string               // appended to a SELECT whose rows are to stay until the transaction ends
	down     func(err error) bool // the database is not to be reached, or cannot write now
}
