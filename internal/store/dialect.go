package store

// dialect holds the true differences between the databases.
type dialect struct {
	name       string               // the folder of its migrations
	goose      string               // its name in the migration library
	lockFile   string               // locked during a migration; "" where the database itself has such locks
	lock       string               // statement: waits for the lock named $1 until the transaction ends; "" where there is one writer
	sharedLock string               // statement: like lock, but holders of the shared lock do not exclude one another
	skipLocked string               // appended to a SELECT of rows to change, to skip those that others have locked
	together   bool                 // one statement can insert into several tables
	truncate   string               // statement: removes deleted data from the files; "" where that is up to the operator
	readOnly   string               // expression: whether the server takes no changes
	allocate   []string             // statements that need free space on the disk and store nothing
	down       func(err error) bool // reports whether err means that the database is unreachable or cannot write
}
